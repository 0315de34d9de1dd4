#pragma once

// Applies a page of events to the rows of a projection: the transaction is the caller's, who
// commits it with the checkpoint. What an event that cannot be applied leads to is declared by its
// projection: it stops, is skipped with a record, or is tried again.
//
// One thread at a time. Throws lmdb_error where the machine cannot write; nothing of the page may
// be kept then.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/internal/event_applier.hpp>
#include <microlith/persistence/internal/projection_tables.hpp>
#include <microlith/persistence/journal.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace microlith::internal {

class page_applier {
 public:
  /// All must outlive it.
  page_applier(const projection_group& definition, const environment& env,
               const projection_tables& tables)
      : definition_{definition}, environment_{env}, tables_{tables}, applier_{definition} {}

  struct request {
    const journal& source;
    std::uint64_t bank;
    std::uint64_t after;
    std::uint64_t max_events;
    /// Each event in a transaction of its own within the page's: one that fails leaves no trace.
    /// That costs.
    bool careful = false;
  };

  struct page {
    std::uint64_t last = 0;  ///< position up to which it got
    std::uint64_t applied = 0;
    std::uint64_t skipped = 0;
    /// An event was not applied: nothing of the page may be kept, and it is to be applied again
    /// with care.
    bool failed = false;
    std::optional<storage_error> stopped = std::nullopt;  ///< why it ends before the next event
    std::optional<storage_error> held_up = std::nullopt;  ///< the same, to be tried again
    std::chrono::milliseconds retry_after{0};
  };

  /// `t` is begun with the first event that has an apply function.
  [[nodiscard]] result<page, storage_error> apply(const request& wanted,
                                                  std::optional<lmdb_transaction>& t);

 private:
  using targets = std::span<const event_applier::target>;

  struct attempts {
    std::uint64_t position = 0;
    unsigned times = 0;
  };

  bool apply_event(const request& wanted, const record_view& record, targets to,
                   std::optional<lmdb_transaction>& t, page& done);
  bool apply_at_once(const request& wanted, const record_view& record, targets to,
                     lmdb_transaction& t, page& done);
  bool apply_with_care(const request& wanted, const record_view& record, targets to,
                       lmdb_transaction& t, page& done);
  bool machine_failed(const apply_problem& problem);
  bool waits_for_retry(const projection& member, std::uint64_t bank, const record_view& record,
                       const apply_problem& problem, page& done);

  const projection_group& definition_;
  const environment& environment_;
  const projection_tables& tables_;
  event_applier applier_;
  std::array<attempts, projection_banks> tried_;  ///< at the event that each set of tables is at
  std::optional<lmdb_error> machine_;             ///< it cannot be written
};

}  // namespace microlith::internal
