// Moves one durable subscription along the journal.
//
// Events come from the journal in pages, into a window; the first of each key is with a deliverer.
// An event that fails leaves the window with all that waits behind it: its key is held in the
// store, where the rest of its key joins it, until it has been tried often enough and is parked.
// So a key that fails holds up nobody else. The checkpoint is the position before the first event
// that is neither done nor held.

#include <microlith/actors/internal/actors_part.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>

namespace microlith::internal {

namespace {

constexpr std::uint64_t max_page_events = 1'000;
constexpr std::uint64_t max_page_bytes = std::uint64_t{1} << 20;
constexpr std::size_t max_window_bytes = std::size_t{16} << 20;
/// Keys that are tried again at the same time; past it nothing new is read.
constexpr std::size_t max_retried_keys = 1'024;
/// A checkpoint that no delivery depends on is written this often.
constexpr std::uint64_t events_between_bare_checkpoints = 10'000;
/// What the machine could not do is tried again after this long.
constexpr std::chrono::milliseconds machine_retry{1'000};

struct windowed {
  envelope event;
  const durable_handler* handler = nullptr;
  std::string key;
  std::size_t bytes = 0;
};

struct retried {
  unsigned attempts = 0;         // that count
  unsigned tries = 0;            // for the delay
  std::uint64_t delivering = 0;  // position; 0: it waits for its time
};

struct deliverer {
  deliverer_actor actor;
  std::size_t open = 0;
};

/// Events that are to be held; written again until it works, and nothing is read meanwhile.
struct holding {
  held_key how;
  std::vector<std::uint64_t> positions;
};

struct subscriber_state {
  runtime* node = nullptr;
  durable_part* part = nullptr;
  std::vector<deliverer> deliverers;
  std::unordered_map<std::uint64_t, std::size_t> delivering;  // position to deliverer
  std::uint64_t next = 1;                                     // to be read
  std::map<std::uint64_t, windowed> window;
  std::size_t window_bytes = 0;
  std::unordered_map<std::string, std::deque<std::uint64_t>> keys;  // in the window, in order
  std::deque<holding> to_hold;
  std::vector<held_event> behind;  // to be held behind others
  std::unordered_map<std::string, retried> retried_keys;
  std::unordered_map<std::uint64_t, std::string> retried_events;  // being delivered
  std::deque<std::string> to_retry;  // keys for which there is no room yet
  steady_time not_before{};          // after a failure of the machine
  bool saving = false;
  bool something_done = false;
  bool paused = false;
  std::vector<std::size_t> handler_of_type;  // by the journal's number
};

using subscriber_self = subscriber_actor::stateful_pointer<subscriber_state>;

std::string where(const subscriber_state& state) {
  return "durable subscription " + state.part->definition.name();
}

// It is nobody's fault but the machine's, or of the moment: it does not count as an attempt.
bool passes(const failure& why) {
  return why.kind == failure_kind::overloaded || why.kind == failure_kind::unreachable ||
         why.kind == failure_kind::stopped;
}

void be_in_trouble(subscriber_state& state, log_level level, std::string why) {
  if (why == state.part->trouble())
    return;
  if (!why.empty())
    state.node->actors().log(level, why);
  state.part->set_trouble(std::move(why));
}

void machine_failed(subscriber_self self, const storage_error& error) {
  auto& state = self->state;
  be_in_trouble(state, log_level::error, where(state) + " waits: " + to_string(error));
  state.not_before = state.node->steady_now() + machine_retry;
  self->delayed_send(self, machine_retry, bell_atom::value);
}

void ring(subscriber_self self) {
  if (!self->state.part->rung.exchange(true, std::memory_order_acq_rel))
    self->send(self, bell_atom::value);
}

void arm_save(subscriber_self self) {
  if (!std::exchange(self->state.saving, true))
    self->send(self, commit_atom::value);
}

void deliver(subscriber_self self, const envelope& event, const durable_handler& handler) {
  auto& state = self->state;
  auto least = std::min_element(state.deliverers.begin(), state.deliverers.end(),
                                [](const auto& a, const auto& b) { return a.open < b.open; });
  ++least->open;
  state.delivering.emplace(event.position,
                           static_cast<std::size_t>(least - state.deliverers.begin()));
  state.part->in_flight.fetch_add(1, std::memory_order_acq_rel);
  self->send(least->actor, delivery_message{event, &handler});
}

void deliver_first(subscriber_self self, const std::string& key) {
  auto& state = self->state;
  if (state.paused)
    return;
  const auto& first = state.window.at(state.keys.at(key).front());
  deliver(self, first.event, *first.handler);
}

const durable_handler* handler_of(subscriber_state& state, const stored_type& type) {
  constexpr auto unknown = static_cast<std::size_t>(-1);
  const auto& all = state.part->definition.handlers();
  if (type.id >= state.handler_of_type.size())
    state.handler_of_type.resize(type.id + 1, unknown);
  auto& known = state.handler_of_type[type.id];
  if (known == unknown)
    known = static_cast<std::size_t>(
        std::find_if(all.begin(), all.end(),
                     [&](const auto& handler) { return handler.type->name == type.name; }) -
        all.begin());
  return known == all.size() ? nullptr : &all[known];
}

void hold(subscriber_state& state, std::string key, std::vector<std::uint64_t> positions,
          unsigned attempts, const std::string& why) {
  bool parked = attempts > state.part->definition.options().retries.times;
  state.to_hold.push_back({.how = {.key = std::move(key),
                                   .parked = parked,
                                   .attempts = attempts,
                                   .events = 0,
                                   .since = state.node->wall_now(),
                                   .why = why},
                           .positions = std::move(positions)});
}

// A key that cannot be known is one of its own, and parked: its order cannot be kept.
void park_alone(subscriber_state& state, std::uint64_t position, const std::string& why) {
  hold(state, "(event " + std::to_string(position) + ")", {position},
       state.part->definition.options().retries.times + 1, why);
}

struct keyed_event {
  envelope event;
  std::string key;
};

// An event and its key, or why there is none.
result<keyed_event, std::string> read_event(subscriber_state& state, const record_view& record,
                                            const durable_handler& handler) {
  auto event = to_envelope(record, *state.node->actors().catalog.get());
  if (!event)
    return to_string(event.error());
  try {
    handler_scope scope;
    auto key = handler.key(event->body());
    if (key.size() > max_subscription_key_bytes)
      return "its key has more than " + std::to_string(max_subscription_key_bytes) + " bytes";
    return keyed_event{std::move(*event), std::move(key)};
  } catch (...) {
    return "the function that gives its key threw: " + current_exception_text();
  }
}

// Whether there is room for more.
bool take(subscriber_self self, const record_view& record) {
  auto& state = self->state;
  const auto& options = state.part->definition.options();
  const auto* handler = handler_of(state, *record.type);
  if (handler == nullptr) {
    state.next = record.position + 1;
    return true;
  }
  if (state.window.size() >= std::max<std::size_t>(1, options.window) ||
      state.window_bytes >= max_window_bytes)
    return false;
  state.next = record.position + 1;
  auto read = read_event(state, record, *handler);
  if (!read) {
    park_alone(state, record.position, read.error());
    return true;
  }
  auto& [event, key] = *read;
  bool held = state.retried_keys.contains(key) ||
              std::any_of(state.to_hold.begin(), state.to_hold.end(),
                          [&](const auto& one) { return one.how.key == key; });
  if (!held && state.part->store->held_keys() != 0) {
    auto found = state.part->store->find(key);
    if (!found) {
      state.next = record.position;
      machine_failed(self, found.error());
      return false;
    }
    held = found->has_value();
  }
  if (held) {
    state.behind.push_back({std::move(key), record.position});
    return true;
  }
  state.window_bytes += record.body.size();
  auto& queue = state.keys[key];
  queue.push_back(record.position);
  state.window.emplace(record.position,
                       windowed{std::move(event), handler, key, record.body.size()});
  if (queue.size() == 1)
    deliver_first(self, key);
  return true;
}

void leave_window(subscriber_state& state, std::uint64_t position) {
  auto at = state.window.find(position);
  state.window_bytes -= at->second.bytes;
  state.window.erase(at);
}

void retry_after(subscriber_self self, std::chrono::milliseconds delay, const std::string& key) {
  if (delay.count() == 0)
    self->send(self, retry_message{key});
  else
    self->delayed_send(self, delay, retry_message{key});
}

void begin_retrying(subscriber_self self, const std::string& key, retried how,
                    std::chrono::milliseconds delay) {
  self->state.retried_keys.insert_or_assign(key, how);
  retry_after(self, delay, key);
}

// Keys that were being retried when the node stopped, or were let go by a person.
void retry_more(subscriber_self self) {
  auto& state = self->state;
  while (!state.paused && !state.to_retry.empty() && state.retried_keys.size() < max_retried_keys) {
    auto key = std::move(state.to_retry.front());
    state.to_retry.pop_front();
    auto held = state.part->store->find(key);
    if (!held) {
      state.to_retry.push_front(std::move(key));
      machine_failed(self, held.error());
      return;
    }
    if (*held && !(*held)->parked && !state.retried_keys.contains(key))
      begin_retrying(self, key, {.attempts = (*held)->attempts}, std::chrono::milliseconds{0});
  }
}

// False where the store could not take it: to be tried again.
bool write_holdings(subscriber_self self) {
  auto& state = self->state;
  auto& store = *state.part->store;
  while (!state.to_hold.empty()) {
    auto& one = state.to_hold.front();
    if (auto written = store.hold(one.how, one.positions); !written) {
      machine_failed(self, written.error());
      return false;
    }
    state.something_done = true;
    if (one.how.parked)
      state.node->actors().log(log_level::error,
                               where(state) + " parked key \"" + one.how.key + "\" at event " +
                                   std::to_string(one.positions.front()) + ": " + one.how.why);
    else
      begin_retrying(self, one.how.key, {.attempts = one.how.attempts, .tries = 1},
                     state.part->definition.options().retries.delay_before(1));
    state.to_hold.pop_front();
  }
  if (!state.behind.empty()) {
    if (auto written = store.hold_behind(state.behind); !written) {
      machine_failed(self, written.error());
      return false;
    }
    state.something_done = true;
    // What they were to be held behind may be done meanwhile: then they are the first of their key.
    for (auto& event : std::exchange(state.behind, {})) {
      if (!state.retried_keys.contains(event.key))
        state.to_retry.push_back(std::move(event.key));
    }
    retry_more(self);
  }
  return true;
}

std::uint64_t done_up_to(const subscriber_state& state) {
  auto first_open = state.next;
  if (!state.window.empty())
    first_open = std::min(first_open, state.window.begin()->first);
  for (const auto& one : state.to_hold)
    for (auto position : one.positions)
      first_open = std::min(first_open, position);
  for (const auto& one : state.behind)
    first_open = std::min(first_open, one.position);
  return first_open - 1;
}

void save(subscriber_self self, bool at_the_end = false) {
  auto& state = self->state;
  auto& store = *state.part->store;
  state.saving = false;
  auto reached = done_up_to(state);
  state.part->checkpoint.store(reached, std::memory_order_release);
  bool worth_writing = reached > store.checkpoint() &&
                       (state.something_done || at_the_end ||
                        reached >= store.checkpoint() + events_between_bare_checkpoints);
  if (!worth_writing)
    return;
  message_id event;
  auto read =
      state.node->actors().journal->read(reached, {.events = 1}, [&](const record_view& record) {
        event = record.id;
        return false;
      });
  if (!read || event.empty())
    return;
  if (auto saved = store.save_checkpoint(reached, event))
    state.something_done = false;
  else
    machine_failed(self, saved.error());
}

void step(subscriber_self self) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (state.paused || node.now() < state.not_before)
    return;
  // Before reading: an event that is appended from here on rings again.
  state.part->rung.store(false, std::memory_order_release);
  if (!write_holdings(self))
    return;
  retry_more(self);
  bool room = true;
  while (room && state.retried_keys.size() < max_retried_keys) {
    auto read = node.journal->read(state.next, {.events = max_page_events, .bytes = max_page_bytes},
                                   [&](const record_view& record) {
                                     room = take(self, record);
                                     return room;
                                   });
    if (!read) {
      machine_failed(self, read.error());
      return;
    }
    if (!write_holdings(self) || node.now() < state.not_before)
      return;
    if (read->end)
      break;
  }
  be_in_trouble(state, log_level::info, {});
  arm_save(self);
}

void delivered_from_window(subscriber_self self, std::uint64_t position,
                           const std::optional<failure>& why) {
  auto& state = self->state;
  auto key = state.window.at(position).key;
  auto& queue = state.keys.at(key);
  if (!why) {
    leave_window(state, position);
    queue.pop_front();
    if (queue.empty())
      state.keys.erase(key);
    else
      deliver_first(self, key);
    return;
  }
  if (state.paused && why->kind == failure_kind::stopped)
    return;  // it is delivered again after the next start
  std::vector<std::uint64_t> positions{queue.begin(), queue.end()};
  state.keys.erase(key);
  for (auto each : positions)
    leave_window(state, each);
  hold(state, key, std::move(positions), passes(*why) ? 0 : 1, to_string(*why));
}

void delivered_from_store(subscriber_self self, std::uint64_t position,
                          const std::optional<failure>& why) {
  auto& state = self->state;
  auto& store = *state.part->store;
  auto event = state.retried_events.extract(position);
  auto key = event.mapped();
  auto& retry = state.retried_keys.at(key);
  retry.delivering = 0;
  const auto& policy = state.part->definition.options().retries;
  auto later = [&](std::chrono::milliseconds delay) { retry_after(self, delay, key); };
  if (state.paused && why && why->kind == failure_kind::stopped)
    return;
  if (!why) {
    auto more = store.finished(key, position);
    if (!more) {
      // Not noted, so it is delivered once more.
      machine_failed(self, more.error());
      later(machine_retry);
    } else if (*more) {
      retry = {};
      later(std::chrono::milliseconds{0});
    } else {
      state.retried_keys.erase(key);
    }
    return;
  }
  ++retry.tries;
  if (passes(*why)) {
    later(policy.delay_before(retry.tries));
    return;
  }
  ++retry.attempts;
  bool parked = retry.attempts > policy.times;
  if (auto noted = store.failed_again(key, retry.attempts, parked, to_string(*why)); !noted) {
    machine_failed(self, noted.error());
    later(machine_retry);
    return;
  }
  if (!parked) {
    later(policy.delay_before(retry.tries));
    return;
  }
  state.node->actors().log(log_level::error, where(state) + " parked key \"" + key +
                                                 "\" at event " + std::to_string(position) + ": " +
                                                 to_string(*why));
  state.retried_keys.erase(key);
}

void delivered(subscriber_self self, delivered_message&& done) {
  auto& state = self->state;
  auto& part = *state.part;
  auto by = state.delivering.extract(done.position);
  --state.deliverers[by.mapped()].open;
  part.in_flight.fetch_sub(1, std::memory_order_acq_rel);
  if (done.why) {
    part.failures.fetch_add(1, std::memory_order_relaxed);
    state.node->actors().log(log_level::warning, where(state) + " could not deliver event " +
                                                     std::to_string(done.position) + ": " +
                                                     to_string(*done.why));
  } else {
    part.delivered.fetch_add(1, std::memory_order_relaxed);
  }
  state.something_done = true;
  if (state.retried_events.contains(done.position))
    delivered_from_store(self, done.position, done.why);
  else
    delivered_from_window(self, done.position, done.why);
  arm_save(self);
  ring(self);
}

// The first event of a held key, once more.
void retry(subscriber_self self, const std::string& key) {
  auto& state = self->state;
  auto& node = state.node->actors();
  auto at = state.retried_keys.find(key);
  if (state.paused || at == state.retried_keys.end() || at->second.delivering != 0)
    return;
  auto later = [&](const storage_error& error) {
    machine_failed(self, error);
    retry_after(self, machine_retry, key);
  };
  auto first = state.part->store->positions_of(key, 0, 1);
  if (!first) {
    later(first.error());
    return;
  }
  if (first->empty()) {
    state.retried_keys.erase(at);
    ring(self);
    return;
  }
  auto position = first->front();
  const durable_handler* handler = nullptr;
  result<envelope, std::string> event = std::string{"no handler of its type is hosted any more"};
  auto read = node.journal->read(position, {.events = 1}, [&](const record_view& record) {
    handler = handler_of(state, *record.type);
    if (handler == nullptr)
      return false;
    if (auto known = to_envelope(record, *node.catalog.get()))
      event = std::move(*known);
    else
      event = to_string(known.error());
    return false;
  });
  if (!read) {
    later(read.error());
    return;
  }
  at->second.delivering = position;
  state.retried_events.emplace(position, key);
  if (event) {
    deliver(self, *event, *handler);
    return;
  }
  delivered_from_store(self, position,
                       failure{.kind = failure_kind::handler_failed,
                               .certainty = certainty::not_done,
                               .text = "event " + std::to_string(position) +
                                       " cannot be delivered: " + event.error(),
                               .message = {}});
}

void let_go(subscriber_self self, const parked_message& wanted) {
  auto& state = self->state;
  auto& store = *state.part->store;
  auto about = " key \"" + wanted.key + "\" of " + where(state);
  auto tell = [&](log_level level, const std::string& text) {
    state.node->actors().log(level, text);
  };
  if (wanted.drop) {
    auto dropped = store.drop(wanted.key, wanted.position);
    if (!dropped)
      tell(log_level::error, "could not drop" + about + ": " + to_string(dropped.error()));
    else
      tell(log_level::warning, "dropped " + std::to_string(*dropped) + " parked events of" + about);
    return;
  }
  auto replayed = store.replay(wanted.key);
  if (!replayed) {
    tell(log_level::error, "could not replay" + about + ": " + to_string(replayed.error()));
  } else if (*replayed) {
    tell(log_level::info, "replaying" + about);
    state.to_retry.push_back(wanted.key);
    retry_more(self);
  }
}

void begin(subscriber_self self) {
  auto& state = self->state;
  auto& part = *state.part;
  state.next = part.store->checkpoint() + 1;
  part.checkpoint.store(part.store->checkpoint());
  std::optional<std::string> last;
  for (bool more = part.store->held_keys() != 0; more;) {
    auto held = part.store->held(last);
    if (!held) {
      machine_failed(self, held.error());
      return;
    }
    more = !held->empty();
    for (auto& key : *held) {
      last = key.key;
      if (!key.parked)
        state.to_retry.push_back(std::move(key.key));
    }
  }
}

subscriber_actor::behavior_type subscriber_behavior(subscriber_self self, runtime* node,
                                                    durable_part* part) {
  self->state.node = node;
  self->state.part = part;
  subscriber_actor here{self};
  for (unsigned i = 0; i < std::max(1u, part->definition.options().workers); ++i)
    self->state.deliverers.push_back({spawn_deliverer(*node, *part, here)});
  begin(self);
  return {
      [self](bell_atom) { step(self); },
      [self](delivered_message& done) { delivered(self, std::move(done)); },
      [self](retry_message& message) { retry(self, message.key); },
      [self](parked_message& wanted) { let_go(self, wanted); },
      [self](commit_atom) { save(self); },
      [self](pause_atom) { self->state.paused = true; },
      [self](stop_atom) {
        auto& state = self->state;
        state.paused = true;
        static_cast<void>(write_holdings(self));
        save(self, true);
        for (const auto& each : state.deliverers)
          self->send(each.actor, stop_atom::value);
        self->quit();
      },
  };
}

}  // namespace

subscriber_actor spawn_subscriber(runtime& node, durable_part& part) {
  auto& system = *node.actors().system;
  if (node.actors().deterministic())
    return system.spawn(subscriber_behavior, &node, &part);
  return system.spawn<caf::detached>(subscriber_behavior, &node, &part);
}

}  // namespace microlith::internal
