#pragma once

// The rows of a projection, to be read; where they are is the business of whoever implements it.
// Any thread.

#include <microlith/persistence/error.hpp>
#include <microlith/persistence/function_ref.hpp>
#include <microlith/persistence/transaction.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace microlith {

/// An event that a projection could not apply and went past, as declared.
struct skipped_event {
  std::uint64_t position = 0;
  std::string projection;  ///< the one that could not apply it
  std::string type;        ///< wire name
  message_id id;
  std::string why;

  friend bool operator==(const skipped_event&, const skipped_event&) = default;
};

class projection_rows {
 public:
  projection_rows() = default;
  projection_rows(const projection_rows&) = delete;
  projection_rows& operator=(const projection_rows&) = delete;
  virtual ~projection_rows() = default;

  /// Position up to which readers see the events.
  [[nodiscard]] virtual std::uint64_t checkpoint() const = 0;

  /// Skipped events after a position, in order, at most `limit`. Throws storage_exception where
  /// they cannot be read.
  [[nodiscard]] virtual std::vector<skipped_event> skipped(std::uint64_t after = 0,
                                                           std::size_t limit = 1000) const = 0;

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
  virtual void read_with(function_ref<void(const read_transaction&)> f) const = 0;
};

}  // namespace microlith
