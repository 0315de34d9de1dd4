#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

namespace microlith {

using internal::held_event_id;
using internal::held_key_id;
using internal::lmdb_cursor;
using internal::lmdb_error;
using internal::lmdb_transaction;
using internal::subscription_state;

namespace {

constexpr std::string_view state_key = "state";
// Its share of the address space that a journal reserves.
constexpr unsigned map_share = 16;

// The message id of the event at a position; empty where there is none.
result<message_id, storage_error> event_at(const journal& source, std::uint64_t position) {
  message_id id;
  if (position == 0)
    return id;
  auto read = source.read(position, {.events = 1}, [&](const record_view& record) {
    id = record.id;
    return false;
  });
  if (!read)
    return read.error();
  return id;
}

}  // namespace

class subscription_store::state {
 public:
  state(std::string name, const std::filesystem::path& directory,
        const subscription_options& options)
      : name_{std::move(name)},
        directory_{directory},
        environment_{
            directory,
            {.map_bytes = options.map_limit_bytes != 0 ? options.map_limit_bytes
                                                       : internal::default_map_bytes(map_share),
             .max_tables = 3,
             .sync = options.sync}} {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    state_table_ = t.open_table("state", MDB_CREATE);
    keys_table_ = t.open_table("keys", MDB_CREATE);
    events_table_ = t.open_table("events", MDB_CREATE);
    t.commit();
  }

  std::optional<storage_error> load(const journal& source, subscription_start start) {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    auto end = source.last_position();
    auto stored = t.find(state_table_, state_key);
    if (stored) {
      auto decoded = internal::decode_subscription_state(*stored);
      if (!decoded)
        return damaged("its state is not what was written");
      kept_ = *decoded;
    }
    bool belongs = stored && kept_.epoch == source.epoch();
    if (belongs && kept_.checkpoint > end) {
      note_ = "subscription " + name_ + " had come to event " + std::to_string(kept_.checkpoint) +
              ", and the journal ends at " + std::to_string(end) +
              ": it was restored; the subscription goes on at its end";
      if (auto problem = forget_after(t, end))
        return problem;
      auto event = event_at(source, end);
      if (!event)
        return event.error();
      kept_.checkpoint = end;
      kept_.event = *event;
    } else if (belongs) {
      auto event = event_at(source, kept_.checkpoint);
      if (!event)
        return event.error();
      belongs = *event == kept_.event;
    }
    if (!belongs) {
      if (stored) {
        note_ = "subscription " + name_ +
                " had come to an event of another journal: it begins again" +
                (start == subscription_start::first_event ? " at the first event"
                                                          : " at the next event");
        empty(t);
      }
      kept_.epoch = source.epoch();
      kept_.checkpoint = start == subscription_start::first_event ? 0 : end;
      auto event = event_at(source, kept_.checkpoint);
      if (!event)
        return event.error();
      kept_.event = *event;
      std::random_device random;
      std::generate(kept_.secret.begin(), kept_.secret.end(),
                    [&] { return static_cast<std::byte>(random() & 0xFF); });
    }
    if (auto problem = count(t))
      return problem;
    t.put(state_table_, state_key, internal::encode_subscription_state(kept_));
    t.commit();
    checkpoint_.store(kept_.checkpoint, std::memory_order_release);
    return std::nullopt;
  }

  result<std::optional<held_key>, storage_error> find(std::string_view key) const {
    return reading([&](const lmdb_transaction& t) { return stored_key(t, id_of(key), key); });
  }

  result<std::vector<held_key>, storage_error> held(const std::optional<std::string>& after,
                                                    std::size_t limit) const {
    return reading([&](const lmdb_transaction& t) {
      std::vector<held_key> found;
      lmdb_cursor cursor{t, keys_table_};
      auto from = after ? id_of(*after) : held_key_id{};
      bool more = after ? cursor.seek(from) : cursor.move(MDB_FIRST);
      if (more && after && std::ranges::equal(cursor.key(), from))
        more = cursor.move(MDB_NEXT);
      for (; more && found.size() < limit; more = cursor.move(MDB_NEXT))
        found.push_back(decoded(cursor.value()));
      return found;
    });
  }

  result<std::vector<std::uint64_t>, storage_error> positions_of(std::string_view key,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const {
    return reading([&](const lmdb_transaction& t) {
      std::vector<std::uint64_t> found;
      each_event(t, id_of(key), after + 1, [&](std::uint64_t position) {
        found.push_back(position);
        return found.size() < limit;
      });
      return found;
    });
  }

  result<void, storage_error> save_checkpoint(std::uint64_t position, message_id event) {
    auto state = kept_;
    state.checkpoint = position;
    state.event = event;
    auto saved = writing([&](lmdb_transaction& t, changes&) {
      t.put(state_table_, state_key, internal::encode_subscription_state(state));
    });
    if (saved) {
      kept_ = state;
      checkpoint_.store(position, std::memory_order_release);
    }
    return saved;
  }

  result<void, storage_error> hold(const held_key& how, std::span<const std::uint64_t> positions) {
    return writing([&](lmdb_transaction& t, changes& change) {
      auto id = id_of(how.key);
      auto key = stored_key(t, id, how.key);
      weigh(key, -1, change);
      if (!key) {
        key = how;
        key->events = 0;
      }
      for (auto position : positions)
        add_event(t, id, position, *key);
      weigh(key, 1, change);
      t.put(keys_table_, id, internal::encode_held_key(*key));
    });
  }

  result<void, storage_error> hold_behind(std::span<const held_event> events) {
    return writing([&](lmdb_transaction& t, changes& change) {
      for (const auto& event : events) {
        auto id = id_of(event.key);
        auto key = stored_key(t, id, event.key);
        weigh(key, -1, change);
        if (!key)
          key = held_key{.key = event.key};
        add_event(t, id, event.position, *key);
        weigh(key, 1, change);
        t.put(keys_table_, id, internal::encode_held_key(*key));
      }
    });
  }

  result<void, storage_error> failed_again(std::string_view name, unsigned attempts, bool parked,
                                           const std::string& why) {
    return writing([&](lmdb_transaction& t, changes& change) {
      auto id = id_of(name);
      auto key = stored_key(t, id, name);
      if (!key)
        return;
      weigh(key, -1, change);
      key->attempts = attempts;
      key->parked = parked;
      key->why = why;
      weigh(key, 1, change);
      t.put(keys_table_, id, internal::encode_held_key(*key));
    });
  }

  result<bool, storage_error> finished(std::string_view name, std::uint64_t position) {
    bool more = false;
    auto done = writing([&](lmdb_transaction& t, changes& change) {
      auto id = id_of(name);
      auto key = stored_key(t, id, name);
      if (!key)
        return;
      weigh(key, -1, change);
      remove_event(t, id, position, *key);
      key->attempts = 0;
      key->why.clear();
      more = key->events != 0;
      settle(t, id, *key, change);
    });
    if (!done)
      return done.error();
    return more;
  }

  result<bool, storage_error> replay(std::string_view name) {
    bool parked = false;
    auto done = writing([&](lmdb_transaction& t, changes& change) {
      auto id = id_of(name);
      auto key = stored_key(t, id, name);
      parked = key && key->parked;
      if (!parked)
        return;
      weigh(key, -1, change);
      key->parked = false;
      key->attempts = 0;
      weigh(key, 1, change);
      t.put(keys_table_, id, internal::encode_held_key(*key));
    });
    if (!done)
      return done.error();
    return parked;
  }

  result<std::uint64_t, storage_error> drop(std::string_view name,
                                            std::optional<std::uint64_t> position) {
    std::uint64_t dropped = 0;
    auto done = writing([&](lmdb_transaction& t, changes& change) {
      auto id = id_of(name);
      auto key = stored_key(t, id, name);
      if (!key || !key->parked)
        return;
      std::vector<std::uint64_t> doomed;
      if (position)
        doomed.push_back(*position);
      else
        each_event(t, id, 0, [&](std::uint64_t at) {
          doomed.push_back(at);
          return true;
        });
      weigh(key, -1, change);
      auto before = key->events;
      for (auto at : doomed)
        remove_event(t, id, at, *key);
      dropped = before - key->events;
      settle(t, id, *key, change);
    });
    if (!done)
      return done.error();
    return dropped;
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  [[nodiscard]] std::uint64_t checkpoint() const { return checkpoint_.load(); }
  [[nodiscard]] std::uint64_t held_keys() const { return count_of(keys_); }
  [[nodiscard]] std::uint64_t parked_keys() const { return count_of(parked_); }
  [[nodiscard]] std::uint64_t held_events() const { return count_of(events_); }
  [[nodiscard]] std::uint64_t parked_events() const { return count_of(parked_events_); }

 private:
  /// What a transaction does to the counts, which follow its commit.
  struct changes {
    std::int64_t keys = 0;
    std::int64_t parked = 0;
    std::int64_t events = 0;
    std::int64_t parked_events = 0;
  };

  /// Takes a key out of the counts, or puts it in.
  static void weigh(const std::optional<held_key>& key, std::int64_t sign, changes& change) {
    if (!key)
      return;
    auto events = sign * static_cast<std::int64_t>(key->events);
    change.keys += sign;
    change.parked += key->parked ? sign : 0;
    change.events += events;
    change.parked_events += key->parked ? events : 0;
  }

  void apply(const changes& change) {
    keys_ += change.keys;
    parked_ += change.parked;
    events_ += change.events;
    parked_events_ += change.parked_events;
  }

  [[nodiscard]] static std::uint64_t count_of(const std::atomic<std::int64_t>& count) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(count.load(), 0));
  }

  [[nodiscard]] held_key_id id_of(std::string_view key) const {
    return internal::encode_held_key_id(key, kept_.secret);
  }

  [[nodiscard]] storage_error damaged(const std::string& what) const {
    return {storage_error_kind::damaged,
            "the subscription in " + directory_.string() + " is damaged: " + what +
                ". Restore a backup, or delete the folder: every event is then delivered again"};
  }

  [[nodiscard]] held_key decoded(std::span<const std::byte> value) const {
    auto key = internal::decode_held_key(value);
    if (!key)
      throw storage_exception{damaged("a held key is not what was written")};
    return std::move(*key);
  }

  [[nodiscard]] std::optional<held_key> stored_key(const lmdb_transaction& t, const held_key_id& id,
                                                   std::string_view name) const {
    auto value = t.find(keys_table_, id);
    if (!value)
      return std::nullopt;
    auto key = decoded(*value);
    if (key.key != name)
      throw storage_exception{damaged("two keys have one hash")};
    return key;
  }

  template <class Visit>
  void each_event(const lmdb_transaction& t, const held_key_id& id, std::uint64_t from,
                  Visit visit) const {
    lmdb_cursor cursor{t, events_table_};
    auto first = internal::encode_held_event_id(id, from);
    for (bool more = cursor.seek(first); more; more = cursor.move(MDB_NEXT)) {
      auto key = cursor.key();
      if (key.size() < id.size() || !std::equal(id.begin(), id.end(), key.begin()))
        return;
      auto position = internal::decode_held_event(key, cursor.value());
      if (!position)
        throw storage_exception{damaged("a held event is not what was written")};
      if (!visit(*position))
        return;
    }
  }

  void add_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                 held_key& key) {
    auto event = internal::encode_held_event_id(id, position);
    if (t.find(events_table_, event))
      return;
    t.put(events_table_, event, internal::encode_held_event(event));
    ++key.events;
  }

  void remove_event(lmdb_transaction& t, const held_key_id& id, std::uint64_t position,
                    held_key& key) {
    auto event = internal::encode_held_event_id(id, position);
    if (!t.find(events_table_, event))
      return;
    erase(t, events_table_, event);
    if (key.events != 0)
      --key.events;
  }

  /// A key without events is held no longer.
  void settle(lmdb_transaction& t, const held_key_id& id, const held_key& key, changes& change) {
    if (key.events == 0) {
      erase(t, keys_table_, id);
      return;
    }
    t.put(keys_table_, id, internal::encode_held_key(key));
    weigh(key, 1, change);
  }

  static void erase(lmdb_transaction& t, MDB_dbi table, std::span<const std::byte> key) {
    auto k = internal::to_val(key);
    internal::check(mdb_del(t.get(), table, &k, nullptr), "erase a key");
  }

  void empty(lmdb_transaction& t) {
    for (auto table : {keys_table_, events_table_})
      internal::check(mdb_drop(t.get(), table, 0), "empty a table");
  }

  /// After a journal was restored: positions past its end say nothing any more.
  std::optional<storage_error> forget_after(lmdb_transaction& t, std::uint64_t end) {
    try {
      std::vector<held_key> keys;
      {
        lmdb_cursor cursor{t, keys_table_};
        for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT))
          keys.push_back(decoded(cursor.value()));
      }
      changes ignored;
      for (auto& key : keys) {
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
      return std::nullopt;
    } catch (const storage_exception& error) {
      return error.error();
    }
  }

  std::optional<storage_error> count(const lmdb_transaction& t) {
    try {
      changes all;
      lmdb_cursor cursor{t, keys_table_};
      for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT))
        weigh(decoded(cursor.value()), 1, all);
      apply(all);
      return std::nullopt;
    } catch (const storage_exception& error) {
      return error.error();
    }
  }

  template <class F>
  auto reading(F f) const
      -> result<decltype(f(std::declval<const lmdb_transaction&>())), storage_error> {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      return f(t);
    } catch (const lmdb_error& error) {
      return storage_error{storage_error_kind::io, "cannot read the subscription in " +
                                                       directory_.string() + ": " + error.what()};
    } catch (const storage_exception& error) {
      return error.error();
    }
  }

  template <class F>
  result<void, storage_error> writing(F f) {
    try {
      changes change;
      lmdb_transaction t{environment_, lmdb_transaction::access::write};
      f(t, change);
      t.commit();
      apply(change);
      return {};
    } catch (const lmdb_error& error) {
      bool full = error.out_of_space();
      return storage_error{full ? storage_error_kind::full : storage_error_kind::io,
                           "cannot write the subscription in " + directory_.string() + ": " +
                               error.what() + (full ? ". Make room; it goes on then" : "")};
    } catch (const storage_exception& error) {
      return error.error();
    }
  }

  std::string name_;
  std::filesystem::path directory_;
  internal::environment environment_;
  MDB_dbi state_table_ = 0;
  MDB_dbi keys_table_ = 0;
  MDB_dbi events_table_ = 0;
  subscription_state kept_;
  std::string note_;
  std::atomic<std::uint64_t> checkpoint_{0};
  std::atomic<std::int64_t> keys_{0};
  std::atomic<std::int64_t> parked_{0};
  std::atomic<std::int64_t> events_{0};
  std::atomic<std::int64_t> parked_events_{0};
};

result<std::unique_ptr<subscription_store>, storage_error> subscription_store::open(
    const std::string& name, subscription_options options, const journal& source) {
  auto directory = options.directory / "subscriptions" / name;
  auto refuse = [&](storage_error_kind kind, const std::string& why) {
    return storage_error{kind,
                         "cannot open the subscription in " + directory.string() + ": " + why};
  };
  if (!internal::can_be_mapped(directory))
    return refuse(storage_error_kind::damaged,
                  "data.mdb was cut or is something else. Restore a backup, or delete the folder: "
                  "every event is then delivered again");
  try {
    auto opened = std::make_unique<state>(name, directory, options);
    if (auto problem = opened->load(source, options.start))
      return *problem;
    return std::unique_ptr<subscription_store>{new subscription_store{std::move(opened)}};
  } catch (const lmdb_error& error) {
    return refuse(error.out_of_space() ? storage_error_kind::full : storage_error_kind::unusable,
                  error.what());
  } catch (const std::exception& error) {
    return refuse(storage_error_kind::unusable, error.what());
  }
}

subscription_store::subscription_store(std::unique_ptr<state> s) : state_{std::move(s)} {}
subscription_store::~subscription_store() = default;

const std::string& subscription_store::name() const {
  return state_->name();
}
const std::string& subscription_store::note() const {
  return state_->note();
}
std::uint64_t subscription_store::checkpoint() const {
  return state_->checkpoint();
}
std::uint64_t subscription_store::held_keys() const {
  return state_->held_keys();
}
std::uint64_t subscription_store::parked_keys() const {
  return state_->parked_keys();
}
std::uint64_t subscription_store::held_events() const {
  return state_->held_events();
}
std::uint64_t subscription_store::parked_events() const {
  return state_->parked_events();
}

result<std::optional<held_key>, storage_error> subscription_store::find(
    std::string_view key) const {
  return state_->find(key);
}

result<std::vector<held_key>, storage_error> subscription_store::held(
    const std::optional<std::string>& after, std::size_t limit) const {
  return state_->held(after, limit);
}

result<std::vector<std::uint64_t>, storage_error> subscription_store::positions_of(
    std::string_view key, std::uint64_t after, std::size_t limit) const {
  return state_->positions_of(key, after, limit);
}

result<void, storage_error> subscription_store::save_checkpoint(std::uint64_t position,
                                                                message_id event) {
  return state_->save_checkpoint(position, event);
}

result<void, storage_error> subscription_store::hold(const held_key& how,
                                                     std::span<const std::uint64_t> positions) {
  return state_->hold(how, positions);
}

result<void, storage_error> subscription_store::hold_behind(std::span<const held_event> events) {
  return state_->hold_behind(events);
}

result<void, storage_error> subscription_store::failed_again(std::string_view key,
                                                             unsigned attempts, bool parked,
                                                             const std::string& why) {
  return state_->failed_again(key, attempts, parked, why);
}

result<bool, storage_error> subscription_store::finished(std::string_view key,
                                                         std::uint64_t position) {
  return state_->finished(key, position);
}

result<bool, storage_error> subscription_store::replay(std::string_view key) {
  return state_->replay(key);
}

result<std::uint64_t, storage_error> subscription_store::drop(
    std::string_view key, std::optional<std::uint64_t> position) {
  return state_->drop(key, position);
}

std::vector<std::string> subscriptions_in(const std::filesystem::path& data) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator{data / "subscriptions", none}) {
    if (entry.is_directory(none))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace microlith
