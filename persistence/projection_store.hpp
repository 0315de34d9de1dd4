#pragma once

// A projection's rows on disk: an LMDB environment of its own, in which the rows and the checkpoint
// move in one transaction.
//
// The store pulls events from a journal, from its checkpoint on, so catching up after a start,
// rebuilding and following are the same. `catch_up` and `rebuild` have one caller at a time;
// everything else may be called from any thread meanwhile. An event that cannot be applied stops
// the store before that event: `stopped` says where and why until it is opened again or rebuilt.
//
// Everything here can be deleted and is then rebuilt.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/function_ref.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/transaction.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace microlith {

struct projection_options {
  /// The rows live in a folder of it that has the projection's name.
  std::filesystem::path directory;
  /// As in journal_options.
  std::size_t map_limit_bytes = 0;
  bool sync = true;
};

struct catch_up_progress {
  std::uint64_t checkpoint = 0;  ///< position up to which the rows are derived
  std::uint64_t applied = 0;     ///< events that had an apply function
  bool more = false;             ///< the journal has events after the checkpoint
};

class projection_store {
 public:
  /// Opens or creates. Rows of another journal, of another definition, or ahead of the journal are
  /// thrown away and will be derived again.
  [[nodiscard]] static result<std::unique_ptr<projection_store>, storage_error> open(
      projection definition, projection_options options, const journal& source);

  ~projection_store();
  projection_store(const projection_store&) = delete;
  projection_store& operator=(const projection_store&) = delete;

  [[nodiscard]] const projection& definition() const;

  /// Applies at most `max_events` of what comes after the checkpoint, in one transaction.
  [[nodiscard]] result<catch_up_progress, storage_error> catch_up(
      const journal& source, std::uint64_t max_events = 10'000);

  /// Position up to which readers see the events. Only grows, but for a rebuild at opening.
  [[nodiscard]] std::uint64_t checkpoint() const;

  /// Where and why it stopped, if it did.
  [[nodiscard]] std::optional<storage_error> stopped() const;

  /// Fills new tables beside the old ones up to the end of the journal, then swaps. Readers see the
  /// old rows until then.
  [[nodiscard]] result<void, storage_error> rebuild(const journal& source);

  /// Runs `f(const read_transaction&)` and returns what it returns. Throws storage_exception where
  /// the rows cannot be read.
  template <class F>
  auto read(F&& f) const {
    using returned = std::invoke_result_t<F&, const read_transaction&>;
    if constexpr (std::is_void_v<returned>) {
      read_with([&](const read_transaction& t) { f(t); });
    } else {
      std::optional<returned> value;
      read_with([&](const read_transaction& t) { value.emplace(f(t)); });
      return returned{std::move(*value)};
    }
  }

 private:
  class state;
  explicit projection_store(std::unique_ptr<state> s);
  void read_with(function_ref<void(const read_transaction&)> f) const;

  std::unique_ptr<state> state_;
};

}  // namespace microlith
