#include <microlith/persistence/internal/projection_tables.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>

#include <string>
#include <utility>

namespace microlith::internal {

namespace {

std::uint64_t entries(const lmdb_transaction& t, MDB_dbi table) {
  MDB_stat stat{};
  check(mdb_stat(t.get(), table, &stat), "look at a table");
  return stat.ms_entries;
}

}  // namespace

unsigned projection_tables::count(const projection_group& definition) {
  std::size_t tables = 1 + projection_banks;  // state, and what was skipped
  for (const auto& member : definition.members())
    tables += projection_banks * member.tables().size();
  return static_cast<unsigned>(tables);
}

void projection_tables::open(lmdb_transaction& t, const projection_group& definition) {
  sets_ = {};
  state_table_ = t.open_table(projection_table_name, MDB_CREATE);
  for (std::size_t number = 0; number < projection_banks; ++number) {
    auto& to = sets_[number];
    const std::string letter = number == 0 ? "a" : "b";
    to.skipped = t.open_table(("skipped." + letter).c_str(), MDB_CREATE);
    for (const auto& member : definition.members()) {
      auto& own = to.of_member.emplace_back();
      for (const auto& table : member.tables()) {
        auto handle = t.open_table((letter + '.' + table.name).c_str(), MDB_CREATE);
        own.add(table.name, handle);
        to.all.add(table.name, handle);
      }
    }
  }
}

std::optional<projection_state> projection_tables::state(const lmdb_transaction& t) const {
  auto stored = t.find(state_table_, projection_state_key);
  return stored ? decode_projection_state(*stored) : std::nullopt;
}

bool projection_tables::has_state(const lmdb_transaction& t) const {
  return t.find(state_table_, projection_state_key).has_value();
}

void projection_tables::save(lmdb_transaction& t, const projection_state& state) const {
  t.put(state_table_, projection_state_key, encode_projection_state(state));
}

void projection_tables::empty(lmdb_transaction& t, std::uint64_t bank) const {
  for (const auto& table : sets_[bank].all.all())
    t.empty(table.table);
  t.empty(sets_[bank].skipped);
}

std::uint64_t projection_tables::skipped_count(const lmdb_transaction& t,
                                               std::uint64_t bank) const {
  return entries(t, sets_[bank].skipped);
}

std::vector<skipped_event> projection_tables::skipped(const lmdb_transaction& t, std::uint64_t bank,
                                                      std::uint64_t after,
                                                      std::size_t limit) const {
  std::vector<skipped_event> found;
  lmdb_cursor cursor{t, sets_[bank].skipped};
  auto from = encode_skipped_key(after + 1, 0);
  for (bool more = cursor.seek(from); more && found.size() < limit; more = cursor.move(MDB_NEXT)) {
    auto event = decode_skipped(cursor.key(), cursor.value());
    if (!event)
      throw storage_exception{{storage_error_kind::damaged,
                               "a record of a skipped event is damaged: rebuild the projection"}};
    found.push_back(std::move(*event));
  }
  return found;
}

}  // namespace microlith::internal
