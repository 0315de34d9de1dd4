#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/held_events.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/internal/subscription_copy.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

namespace {

// A subscription is small, and two commits of it take longer than reading it.
constexpr unsigned max_walks = 1000;

struct entry {
  bytes key;
  bytes value;
};

/// One commit's entries, in memory: to read them is quicker than to write them, and must be.
struct contents {
  std::vector<entry> states;
  std::vector<entry> keys;
  std::vector<entry> events;

  void add(std::string_view table, std::span<const std::byte> key,
           std::span<const std::byte> value) {
    if (auto* to = table == "state"    ? &states
                   : table == "keys"   ? &keys
                   : table == "events" ? &events
                                       : nullptr)
      to->push_back({{key.begin(), key.end()}, {value.begin(), value.end()}});
  }
};

contents contents_of(const std::filesystem::path& from) {
  page_file file{from / "data.mdb"};
  contents found;
  auto result = check_steadily(
      file,
      [&](const page_snapshot&, environment_check& check) {
        found = {};
        check.walk([&](std::string_view table, std::span<const std::byte> key,
                       std::span<const std::byte> value) { found.add(table, key, value); });
      },
      max_walks);
  if (!result.problem.empty())
    throw storage_exception{damaged_subscription(from, result.problem)};
  if (result.overtaken)
    throw storage_exception{
        {storage_error_kind::io, "the subscription in " + from.string() +
                                     " is written to faster than it is read: try again"}};
  return found;
}

void check_entries(const std::filesystem::path& from, const contents& found) {
  auto expect = [&](bool whole, const std::string& what) {
    if (!whole)
      throw storage_exception{damaged_subscription(from, what + " is not what was written")};
  };
  for (const auto& state : found.states) {
    expect_format(state.value, subscription_format, "the subscription in " + from.string());
    expect(decode_subscription_state(state.value).has_value(), "its state");
  }
  for (const auto& key : found.keys)
    expect(decode_held_key(key.value).has_value(), "a held key");
  for (const auto& event : found.events)
    expect(decode_held_event(event.key, event.value).has_value(), "a held event");
}

void write(environment& to, const contents& all) {
  lmdb_transaction t{to, lmdb_transaction::access::write};
  auto fill = [&](const char* name, const std::vector<entry>& entries) {
    auto table = t.open_table(name, MDB_CREATE);
    for (const auto& each : entries)
      t.put(table, each.key, each.value, MDB_APPEND);
  };
  fill("state", all.states);
  fill("keys", all.keys);
  fill("events", all.events);
  t.commit();
}

}  // namespace

void copy_subscription(const std::filesystem::path& from, const std::filesystem::path& to,
                       message_id journal_epoch, message_id new_epoch) {
  auto all = contents_of(from);
  check_entries(from, all);
  for (auto& each : all.states) {
    auto state = decode_subscription_state(each.value).value();
    if (state.epoch == journal_epoch)
      state.epoch = new_epoch;
    auto encoded = encode_subscription_state(state);
    each.value.assign(encoded.begin(), encoded.end());
  }
  {
    auto map = sensible_map_size({});
    environment copy{to,
                     {.map_bytes = map.reserve_bytes,
                      .map_limit_bytes = map.limit_bytes,
                      .max_tables = 3,
                      .sync = false}};
    growing(copy, [&] { write(copy, all); });
    check(mdb_env_sync(copy.get(), 1), "sync the copy");
  }
  std::filesystem::remove(to / "lock.mdb");
  sync_names(to);
}

}  // namespace microlith::internal
