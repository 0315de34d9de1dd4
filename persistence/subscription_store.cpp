#include <microlith/persistence/internal/held_events.hpp>
#include <microlith/persistence/internal/opening_check.hpp>
#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/stored_name.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

namespace microlith {

using internal::held_counts;
using internal::lmdb_error;
using internal::lmdb_transaction;
using internal::subscription_state;

namespace {

constexpr const char* mend_the_cause = ". Mend the cause, permissions for example";

// The message id of the event at a position; empty where there is none.
message_id event_at(const journal& source, std::uint64_t position) {
  message_id id;
  if (position == 0)
    return id;
  auto read = source.read(position, {.events = 1}, [&](const record_view& record) {
    id = record.id;
    return false;
  });
  if (!read)
    throw storage_exception{read.error()};
  return id;
}

internal::environment_options options_of(const subscription_options& options) {
  auto map = internal::sensible_map_size({options.map_reserve_bytes, options.map_limit_bytes},
                                         internal::derived_map_share);
  return {.map_bytes = map.reserve_bytes,
          .map_limit_bytes = map.limit_bytes,
          .max_tables = 3,
          .sync = options.sync};
}

result<void, storage_error> without_counts(const result<held_counts, storage_error>& done) {
  if (!done)
    return done.error();
  return {};
}

}  // namespace

class subscription_store::state {
 public:
  state(std::string name, const std::filesystem::path& directory,
        const subscription_options& options)
      : name_{std::move(name)},
        directory_{directory},
        environment_{directory, options_of(options)},
        held_{directory} {}

  void load(const journal& source, subscription_start start) {
    internal::growing(environment_, [&] { load_once(source, start); });
  }

  result<std::optional<held_key>, storage_error> find(std::string_view key) const {
    return reading([&](const lmdb_transaction& t) { return held_.find(t, key); });
  }

  result<std::vector<held_key>, storage_error> held(const std::optional<std::string>& after,
                                                    std::size_t limit) const {
    return reading([&](const lmdb_transaction& t) { return held_.keys(t, after, limit); });
  }

  result<std::vector<std::uint64_t>, storage_error> positions_of(std::string_view key,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const {
    return reading(
        [&](const lmdb_transaction& t) { return held_.positions_of(t, key, after, limit); });
  }

  result<void, storage_error> save_checkpoint(std::uint64_t position, message_id event) {
    auto state = kept_;
    state.checkpoint = position;
    state.event = event;
    auto saved = writing([&](lmdb_transaction& t) {
      t.put(state_table_, internal::subscription_state_key,
            internal::encode_subscription_state(state));
      return held_counts{};
    });
    if (!saved)
      return saved.error();
    kept_ = state;
    checkpoint_.store(position, std::memory_order_release);
    return {};
  }

  /// `change` is given a transaction and `held_events`, and gives what it does to the counts.
  template <class F>
  result<held_counts, storage_error> changing(F change) {
    return writing([&](lmdb_transaction& t) { return change(held_, t); });
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  [[nodiscard]] std::uint64_t checkpoint() const { return checkpoint_.load(); }
  [[nodiscard]] std::uint64_t held_keys() const { return count_of(keys_); }
  [[nodiscard]] std::uint64_t parked_keys() const { return count_of(parked_); }
  [[nodiscard]] std::uint64_t held_events() const { return count_of(events_); }
  [[nodiscard]] std::uint64_t parked_events() const { return count_of(parked_events_); }

 private:
  // May be called again where the map was too small.
  void load_once(const journal& source, subscription_start start) {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    state_table_ = t.open_table("state", MDB_CREATE);
    held_.open(t);
    kept_ = {};
    note_.clear();
    auto end = source.last_position();
    auto stored = t.find(state_table_, internal::subscription_state_key);
    if (stored) {
      internal::expect_format(*stored, internal::subscription_format,
                              "the subscription in " + directory_.string());
      auto decoded = internal::decode_subscription_state(*stored);
      if (!decoded)
        throw storage_exception{
            internal::damaged_subscription(directory_, "its state is not what was written")};
      kept_ = *decoded;
      held_.use_secret(kept_.secret);
    }
    bool belongs = stored && kept_.epoch == source.epoch();
    if (belongs && kept_.checkpoint > end) {
      note_ = "subscription " + name_ + " had come to event " + std::to_string(kept_.checkpoint) +
              ", and the journal ends at " + std::to_string(end) +
              ": it was restored; the subscription goes on at its end";
      held_.forget_after(t, end);
      kept_.checkpoint = end;
      kept_.event = event_at(source, end);
    } else if (belongs) {
      belongs = event_at(source, kept_.checkpoint) == kept_.event;
    }
    if (!belongs) {
      if (stored) {
        note_ = "subscription " + name_ +
                " had come to an event of another journal: it begins again" +
                (start == subscription_start::first_event ? " at the first event"
                                                          : " at the next event");
        held_.empty(t);
      }
      kept_.epoch = source.epoch();
      kept_.checkpoint = start == subscription_start::first_event ? 0 : end;
      kept_.event = event_at(source, kept_.checkpoint);
      std::random_device random;
      std::generate(kept_.secret.begin(), kept_.secret.end(),
                    [&] { return static_cast<std::byte>(random() & 0xFF); });
      held_.use_secret(kept_.secret);
    }
    auto all = held_.count(t);
    t.put(state_table_, internal::subscription_state_key,
          internal::encode_subscription_state(kept_));
    t.commit();
    apply(all);
    checkpoint_.store(kept_.checkpoint, std::memory_order_release);
  }

  void apply(const held_counts& change) {
    keys_ += change.keys;
    parked_ += change.parked;
    events_ += change.events;
    parked_events_ += change.parked_events;
  }

  [[nodiscard]] static std::uint64_t count_of(const std::atomic<std::int64_t>& count) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(count.load(), 0));
  }

  template <class F>
  auto reading(F f) const
      -> result<decltype(f(std::declval<const lmdb_transaction&>())), storage_error> {
    try {
      lmdb_transaction t{environment_, lmdb_transaction::access::read};
      return f(t);
    } catch (const lmdb_error& error) {
      if (error.damaged())
        return internal::damaged_subscription(directory_, error.what());
      return storage_error{storage_error_kind::io, "cannot read the subscription in " +
                                                       directory_.string() + ": " + error.what()};
    } catch (const storage_exception& error) {
      return error.error();
    }
  }

  template <class F>
  result<held_counts, storage_error> writing(F f) {
    try {
      auto change = internal::growing(environment_, [&] {
        lmdb_transaction t{environment_, lmdb_transaction::access::write};
        auto counts = f(t);
        t.commit();
        return counts;
      });
      apply(change);
      return change;
    } catch (const lmdb_error& error) {
      if (error.damaged())
        return internal::damaged_subscription(directory_, error.what());
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
  internal::held_events held_;
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
  if (!is_stored_name(name))
    return storage_error{storage_error_kind::unusable,
                         bad_stored_name("a durable subscription", name)};
  auto directory = options.directory / "subscriptions" / name;
  auto refuse = [&](storage_error_kind kind, const std::string& why) {
    return storage_error{kind,
                         "cannot open the subscription in " + directory.string() + ": " + why};
  };
  if (!internal::can_be_mapped(directory))
    return refuse(storage_error_kind::damaged,
                  "data.mdb was cut, is damaged, or is something else. Restore a backup, or delete "
                  "the folder: every event is then delivered again");
  try {
    auto opened = std::make_unique<state>(name, directory, options);
    opened->load(source, options.start);
    return std::unique_ptr<subscription_store>{new subscription_store{std::move(opened)}};
  } catch (const lmdb_error& error) {
    if (error.damaged())
      return internal::damaged_subscription(directory, error.what());
    bool full = error.out_of_space();
    return refuse(full ? storage_error_kind::full : storage_error_kind::unusable,
                  error.what() + std::string{full ? ". Make room on the disk or raise the map limit"
                                                  : mend_the_cause});
  } catch (const storage_exception& error) {
    return error.error();
  } catch (const std::filesystem::filesystem_error& error) {
    return refuse(storage_error_kind::unusable,
                  error.path1().string() + ": " + error.code().message() + mend_the_cause);
  } catch (const std::exception& error) {
    return refuse(storage_error_kind::unusable, error.what());
  }
}

subscription_store::subscription_store(std::unique_ptr<state> s) : state_{std::move(s)} {}
subscription_store::subscription_store() = default;
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
  return without_counts(
      state_->changing([&](const auto& held, auto& t) { return held.hold(t, how, positions); }));
}

result<void, storage_error> subscription_store::hold_behind(std::span<const held_event> events) {
  return without_counts(
      state_->changing([&](const auto& held, auto& t) { return held.hold_behind(t, events); }));
}

result<void, storage_error> subscription_store::failed_again(std::string_view key,
                                                             unsigned attempts, bool parked,
                                                             const std::string& why) {
  return without_counts(state_->changing(
      [&](const auto& held, auto& t) { return held.failed_again(t, key, attempts, parked, why); }));
}

result<bool, storage_error> subscription_store::finished(std::string_view key,
                                                         std::uint64_t position) {
  bool others = false;
  auto done = state_->changing([&](const auto& held, auto& t) {
    auto change = held.finished(t, key, position);
    others = held.find(t, key).has_value();
    return change;
  });
  if (!done)
    return done.error();
  return others;
}

result<bool, storage_error> subscription_store::replay(std::string_view key) {
  auto done = state_->changing([&](const auto& held, auto& t) { return held.replay(t, key); });
  if (!done)
    return done.error();
  return done->parked != 0;
}

result<std::uint64_t, storage_error> subscription_store::drop(
    std::string_view key, std::optional<std::uint64_t> position) {
  auto done =
      state_->changing([&](const auto& held, auto& t) { return held.drop(t, key, position); });
  if (!done)
    return done.error();
  return static_cast<std::uint64_t>(-done->events);
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
