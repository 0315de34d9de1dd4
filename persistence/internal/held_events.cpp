#include <microlith/persistence/internal/held_events.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

/// Takes a key out of the counts, or puts it in.
void weigh(const std::optional<held_key>& key, std::int64_t sign, held_counts& change) {
  if (!key)
    return;
  auto events = sign * static_cast<std::int64_t>(key->events);
  change.keys += sign;
  change.parked += key->parked ? sign : 0;
  change.events += events;
  change.parked_events += key->parked ? events : 0;
}

}  // namespace

storage_error damaged_subscription(const std::filesystem::path& directory,
                                   const std::string& what) {
  return {storage_error_kind::damaged,
          "the subscription in " + directory.string() + " is damaged: " + what +
              ". Restore a backup, or delete the folder: every event is then delivered again"};
}

void held_events::open(lmdb_transaction& t) {
  keys_table_ = t.open_table("keys", MDB_CREATE);
  events_table_ = t.open_table("events", MDB_CREATE);
}

std::optional<held_key> held_events::find(const lmdb_transaction& t, std::string_view key) const {
  return stored(t, id_of(key), key);
}

std::vector<held_key> held_events::keys(const lmdb_transaction& t,
                                        const std::optional<std::string>& after,
                                        std::size_t limit) const {
  std::vector<held_key> found;
  lmdb_cursor cursor{t, keys_table_};
  auto from = after ? id_of(*after) : held_key_id{};
  bool more = after ? cursor.seek(from) : cursor.move(MDB_FIRST);
  if (more && after && std::ranges::equal(cursor.key(), from))
    more = cursor.move(MDB_NEXT);
  for (; more && found.size() < limit; more = cursor.move(MDB_NEXT))
    found.push_back(decoded(cursor.value()));
  return found;
}

std::vector<std::uint64_t> held_events::positions_of(const lmdb_transaction& t,
                                                     std::string_view key, std::uint64_t after,
                                                     std::size_t limit) const {
  std::vector<std::uint64_t> found;
  each_event(t, id_of(key), after + 1, [&](std::uint64_t position) {
    found.push_back(position);
    return found.size() < limit;
  });
  return found;
}

held_counts held_events::count(const lmdb_transaction& t) const {
  held_counts all;
  lmdb_cursor cursor{t, keys_table_};
  for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT))
    weigh(decoded(cursor.value()), 1, all);
  return all;
}

held_counts held_events::hold(lmdb_transaction& t, const held_key& how,
                              std::span<const std::uint64_t> positions) const {
  held_counts change;
  auto id = id_of(how.key);
  auto key = stored(t, id, how.key);
  weigh(key, -1, change);
  if (!key) {
    key = how;
    key->events = 0;
  }
  for (auto position : positions)
    add_event(t, id, position, *key);
  save(t, id, *key, change);
  return change;
}

held_counts held_events::hold_behind(lmdb_transaction& t,
                                     std::span<const held_event> events) const {
  held_counts change;
  for (const auto& event : events) {
    auto id = id_of(event.key);
    auto key = stored(t, id, event.key);
    weigh(key, -1, change);
    if (!key)
      key = held_key{.key = event.key};
    add_event(t, id, event.position, *key);
    save(t, id, *key, change);
  }
  return change;
}

held_counts held_events::failed_again(lmdb_transaction& t, std::string_view name, unsigned attempts,
                                      bool parked, const std::string& why) const {
  held_counts change;
  auto id = id_of(name);
  auto key = stored(t, id, name);
  if (!key)
    return change;
  weigh(key, -1, change);
  key->attempts = attempts;
  key->parked = parked;
  key->why = why;
  save(t, id, *key, change);
  return change;
}

held_counts held_events::finished(lmdb_transaction& t, std::string_view name,
                                  std::uint64_t position) const {
  held_counts change;
  auto id = id_of(name);
  auto key = stored(t, id, name);
  if (!key)
    return change;
  weigh(key, -1, change);
  remove_event(t, id, position, *key);
  key->attempts = 0;
  key->why.clear();
  settle(t, id, *key, change);
  return change;
}

held_counts held_events::replay(lmdb_transaction& t, std::string_view name) const {
  held_counts change;
  auto id = id_of(name);
  auto key = stored(t, id, name);
  if (!key || !key->parked)
    return change;
  weigh(key, -1, change);
  key->parked = false;
  key->attempts = 0;
  save(t, id, *key, change);
  return change;
}

held_counts held_events::drop(lmdb_transaction& t, std::string_view name,
                              std::optional<std::uint64_t> position) const {
  held_counts change;
  auto id = id_of(name);
  auto key = stored(t, id, name);
  if (!key || !key->parked)
    return change;
  std::vector<std::uint64_t> doomed;
  if (position)
    doomed.push_back(*position);
  else
    each_event(t, id, 0, [&](std::uint64_t at) {
      doomed.push_back(at);
      return true;
    });
  weigh(key, -1, change);
  for (auto at : doomed)
    remove_event(t, id, at, *key);
  settle(t, id, *key, change);
  return change;
}

void held_events::forget_after(lmdb_transaction& t, std::uint64_t end) const {
  std::vector<held_key> all;
  {
    lmdb_cursor cursor{t, keys_table_};
    for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT))
      all.push_back(decoded(cursor.value()));
  }
  held_counts ignored;
  for (auto& key : all) {
    auto id = id_of(key.key);
    std::vector<std::uint64_t> gone;
    each_event(t, id, end + 1, [&](std::uint64_t position) {
      gone.push_back(position);
      return true;
    });
    for (auto position : gone)
      remove_event(t, id, position, key);
    settle(t, id, key, ignored);
  }
}

void held_events::empty(lmdb_transaction& t) const {
  for (auto table : {keys_table_, events_table_})
    t.empty(table);
}

held_key_id held_events::id_of(std::string_view key) const {
  return encode_held_key_id(key, secret_);
}

void held_events::refuse(const std::string& what) const {
  throw storage_exception{damaged_subscription(directory_, what)};
}

held_key held_events::decoded(std::span<const std::byte> value) const {
  auto key = decode_held_key(value);
  if (!key)
    refuse("a held key is not what was written");
  return std::move(*key);
}

std::optional<held_key> held_events::stored(const lmdb_transaction& t, const held_key_id& id,
                                            std::string_view name) const {
  auto value = t.find(keys_table_, id);
  if (!value)
    return std::nullopt;
  auto key = decoded(*value);
  if (key.key != name)
    refuse("two keys have one hash");
  return key;
}

template <class Visit>
void held_events::each_event(const lmdb_transaction& t, const held_key_id& id, std::uint64_t from,
                             Visit visit) const {
  lmdb_cursor cursor{t, events_table_};
  auto first = encode_held_event_id(id, from);
  for (bool more = cursor.seek(first); more; more = cursor.move(MDB_NEXT)) {
    auto key = cursor.key();
    if (key.size() < id.size() || !std::equal(id.begin(), id.end(), key.begin()))
      return;
    auto position = decode_held_event(key, cursor.value());
    if (!position)
      refuse("a held event is not what was written");
    if (!visit(*position))
      return;
  }
}

void held_events::add_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                            held_key& key) const {
  auto event = encode_held_event_id(id, position);
  if (t.find(events_table_, event))
    return;
  t.put(events_table_, event, encode_held_event(event));
  ++key.events;
}

void held_events::remove_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                               held_key& key) const {
  auto event = encode_held_event_id(id, position);
  if (!t.find(events_table_, event))
    return;
  t.erase(events_table_, event);
  if (key.events != 0)
    --key.events;
}

void held_events::save(lmdb_transaction& t, const held_key_id& id, const held_key& key,
                       held_counts& change) const {
  t.put(keys_table_, id, encode_held_key(key));
  weigh(key, 1, change);
}

/// A key without events is held no longer.
void held_events::settle(lmdb_transaction& t, const held_key_id& id, const held_key& key,
                         held_counts& change) const {
  if (key.events == 0)
    t.erase(keys_table_, id);
  else
    save(t, id, key, change);
}

}  // namespace microlith::internal
