#pragma once

// Rows of inline projections: tables in the journal's own environment, written by the commit that
// writes the event, so that whoever sees the event sees its rows.
//
// One thread at a time prepares, applies and saves, inside the write transaction that is handed in;
// rows may be read from any thread. Throws lmdb_error.

#include <microlith/persistence/internal/event_applier.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/table_bank.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/projection_rows.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// Tables of inline projections in all: the journal's main table stays one page.
inline constexpr std::size_t max_inline_tables = 20;

/// Tables that they need, or why they cannot be kept.
[[nodiscard]] result<unsigned, std::string> inline_tables_of(
    const std::vector<projection_group>& definitions);

class inline_rows {
 public:
  inline_rows(std::vector<projection_group> definitions, const environment& env);
  ~inline_rows();

  /// Brings the rows up to the journal's end: what is new, or has another definition, is derived
  /// from the first event on.
  [[nodiscard]] std::optional<storage_error> catch_up(const journal& source);

  [[nodiscard]] bool empty() const { return groups_.empty(); }
  /// Whether somebody applies events of this type.
  [[nodiscard]] bool wants(const stored_type& type);
  /// Applies an event. Otherwise why its append is refused; then `transaction` must be aborted.
  [[nodiscard]] std::optional<std::string> apply(MDB_txn* transaction, const record_view& record);
  /// The rows are those of the events up to this position.
  void save(lmdb_transaction& transaction, std::uint64_t position);
  /// What was saved is durable.
  void committed(std::uint64_t position);
  /// Numbers of types that were not committed are given out again.
  void forget_types();

  /// Null where there is none of this name.
  [[nodiscard]] const projection_rows* find(std::string_view name) const;

 private:
  class group;

  const environment& env_;
  MDB_dbi states_table_ = 0;
  message_id epoch_;
  std::vector<std::unique_ptr<group>> groups_;
};

}  // namespace microlith::internal
