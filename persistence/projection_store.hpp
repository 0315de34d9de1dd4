#pragma once

// The rows of a projection, or of a group of them, on disk: an LMDB environment of its own, in
// which rows and checkpoint move in one transaction.
//
// The store pulls events from a journal, from its checkpoint on, so catching up after a start,
// rebuilding and following are the same. What brings it forward (`catch_up`, `rebuild` and its
// steps) has one caller at a time; everything else may be called from any thread meanwhile. An
// event that cannot be applied stops the store before that event (`stopped` says where and why
// until it is opened again or rebuilt), is skipped with a record, or is tried again, as its
// projection declares.
//
// Everything here can be deleted and is then rebuilt.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/projection_rows.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace microlith {

struct projection_options {
  /// The rows live in a folder of it that has the projection's name.
  std::filesystem::path directory;
  /// As in journal_options.
  std::size_t map_limit_bytes = 0;
  std::size_t map_reserve_bytes = 0;
  bool sync = true;
  /// A checkpoint that no row depends on is written this often: after a start as many are skipped
  /// again.
  std::uint64_t events_between_bare_checkpoints = 100'000;
};

struct catch_up_progress {
  std::uint64_t checkpoint = 0;  ///< position up to which the rows are derived
  std::uint64_t applied = 0;     ///< events that had an apply function
  bool more = false;             ///< the journal has events after the checkpoint
  /// The next event could not be applied, and is to be tried again after `retry_after`.
  std::optional<storage_error> held_up = std::nullopt;
  std::chrono::milliseconds retry_after{0};
};

class projection_store final : public projection_rows {
 public:
  /// Opens or creates. Rows of another journal, of another definition, or ahead of the journal are
  /// thrown away and will be derived again.
  [[nodiscard]] static result<std::unique_ptr<projection_store>, storage_error> open(
      projection_group definition, projection_options options, const journal& source);

  ~projection_store() override;

  [[nodiscard]] const projection_group& definition() const;

  /// Applies at most `max_events` of what comes after the checkpoint, in one transaction.
  [[nodiscard]] result<catch_up_progress, storage_error> catch_up(
      const journal& source, std::uint64_t max_events = 10'000);

  /// Only grows, but for a rebuild at opening.
  [[nodiscard]] std::uint64_t checkpoint() const override;

  /// Where and why it stopped, if it did.
  [[nodiscard]] std::optional<storage_error> stopped() const;

  [[nodiscard]] std::vector<skipped_event> skipped(std::uint64_t after = 0,
                                                   std::size_t limit = 1000) const override;
  [[nodiscard]] std::uint64_t skipped_count() const;

  /// Whether somebody has asked for a rebuild while no node ran (mark_for_rebuild); until one is
  /// done.
  [[nodiscard]] bool rebuild_wanted() const;

  /// Fills new tables beside the old ones up to the end of the journal, then swaps. Readers see the
  /// old rows until then. Retries do not wait here.
  [[nodiscard]] result<void, storage_error> rebuild(const journal& source);

  /// The same in steps of at most `max_events`, between which the old rows may follow the journal:
  /// `begin_rebuild`, then `rebuild_some` until its progress has nothing more. One that fails ends
  /// the rebuild and leaves the old rows.
  [[nodiscard]] result<void, storage_error> begin_rebuild();
  [[nodiscard]] result<catch_up_progress, storage_error> rebuild_some(
      const journal& source, std::uint64_t max_events = 10'000);

 private:
  class state;
  explicit projection_store(std::unique_ptr<state> s);
  void read_with(function_ref<void(const read_transaction&)> f) const override;

  std::unique_ptr<state> state_;
};

}  // namespace microlith
