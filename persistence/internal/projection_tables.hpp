#pragma once

// The tables of a projection's environment: its state, and two sets of the tables that its
// definition keeps, one of which is read while a rebuild fills the other (drawn in README.md).
//
// Opened once; constant then, and for any thread, as its transactions allow. Throws lmdb_error, and
// storage_exception where a record is not what was written.

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/table_bank.hpp>
#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/projection_rows.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace microlith::internal {

class projection_tables {
 public:
  struct set {
    table_bank all;                     ///< what readers see
    std::vector<table_bank> of_member;  ///< what each projection may write
    MDB_dbi skipped = 0;
  };

  /// How many there are.
  [[nodiscard]] static unsigned count(const projection_group& definition);

  void open(lmdb_transaction& t, const projection_group& definition);
  [[nodiscard]] const set& bank(std::uint64_t number) const { return sets_[number]; }

  /// Absent where there is none yet, or it is not what was written.
  [[nodiscard]] std::optional<projection_state> state(const lmdb_transaction& t) const;
  [[nodiscard]] bool has_state(const lmdb_transaction& t) const;
  void save(lmdb_transaction& t, const projection_state& state) const;

  void empty(lmdb_transaction& t, std::uint64_t bank) const;
  [[nodiscard]] std::uint64_t skipped_count(const lmdb_transaction& t, std::uint64_t bank) const;
  [[nodiscard]] std::vector<skipped_event> skipped(const lmdb_transaction& t, std::uint64_t bank,
                                                   std::uint64_t after, std::size_t limit) const;

 private:
  MDB_dbi state_table_ = 0;
  std::array<set, projection_banks> sets_;
};

}  // namespace microlith::internal
