#pragma once

// The tables of a projection by name: one of the two sets that it has, the one that is read or the
// one that a rebuild fills. Constant once opened; any thread.

#include <microlith/persistence/internal/lmdb.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

class table_bank {
 public:
  void add(std::string name, MDB_dbi table) { tables_.push_back({std::move(name), table}); }

  /// Throws storage_exception where the projection keeps no such table.
  [[nodiscard]] MDB_dbi find(std::string_view name) const {
    for (const auto& entry : tables_) {
      if (entry.name == name)
        return entry.table;
    }
    refuse(name);
  }

  struct entry {
    std::string name;
    MDB_dbi table;
  };
  [[nodiscard]] const std::vector<entry>& all() const { return tables_; }

 private:
  [[noreturn]] static void refuse(std::string_view name);

  std::vector<entry> tables_;
};

}  // namespace microlith::internal
