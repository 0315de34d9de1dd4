// Moves one durable subscription along the journal.
//
// Events come from the journal in pages, into a window; the first of each key is with a deliverer.
// An event that fails leaves the window with all that waits behind it: its key is held in the
// store, where the rest of its key joins it, until it has been tried often enough and is parked.
// So a key that fails holds up nobody else. The checkpoint is the position before the first event
// that is neither done nor held.

#include <microlith/actors/internal/subscriber_state.hpp>

#include <algorithm>

namespace microlith::internal {

std::string where(const subscriber_state& state) {
  return "durable subscription " + state.part->definition.name();
}

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

const durable_handler* durable_handler_for(subscriber_state& state, const stored_type& type) {
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

namespace {

constexpr std::uint64_t max_page_events = 1'000;
constexpr std::uint64_t max_page_bytes = std::uint64_t{1} << 20;
constexpr std::size_t max_window_bytes = std::size_t{16} << 20;
/// A checkpoint that no delivery depends on is written this often.
constexpr std::uint64_t events_between_bare_checkpoints = 10'000;

void arm_save(subscriber_self self) {
  if (!std::exchange(self->state.saving, true))
    self->send(self, commit_atom::value);
}

void deliver_first(subscriber_self self, const std::string& key) {
  auto& state = self->state;
  if (state.paused)
    return;
  const auto& first = state.window.at(state.keys.at(key).front());
  deliver(self, first.event, *first.handler);
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
  const auto* handler = durable_handler_for(state, *record.type);
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
