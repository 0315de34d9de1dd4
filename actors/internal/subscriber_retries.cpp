// Keys of a durable subscription that are held: tried again, parked, replayed, dropped.

#include <microlith/actors/internal/subscriber_state.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

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

}  // namespace

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
    handler = durable_handler_for(state, *record.type);
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

}  // namespace microlith::internal
