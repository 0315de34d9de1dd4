// Brings one projection up to date.
//
// It pulls from the journal, from its checkpoint on; the writer only rings. Catching up after a
// start and following are the same code, nothing is missed, and a slow projection slows nobody.

#include <microlith/actors/internal/actors_part.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

struct projector_state {
  runtime* node = nullptr;
  projector_part* part = nullptr;
  std::vector<parked_query> parked;
  steady_time
      not_before{};  // where something is tried again: a bell that comes earlier is for then
};

using projector_self = projector_actor::stateful_pointer<projector_state>;

/// Events a transaction: large enough to share its sync, small enough to let queries in between.
constexpr std::uint64_t max_step_events = 10'000;
/// What the machine could not do is tried again after this long.
constexpr std::chrono::milliseconds projector_retry{1'000};

/// Before a journal that could not be reached is asked again.
constexpr std::chrono::seconds unreachable_pause{1};

void release(projector_state& state) {
  auto reached = state.part->checkpoint.load();
  auto ready = std::stable_partition(
      state.parked.begin(), state.parked.end(),
      [&](const auto& query) { return query.message.head().after > reached; });
  for (auto at = ready; at != state.parked.end(); ++at)
    at->resume(std::move(at->message));
  state.parked.erase(ready, state.parked.end());
}

void refuse(projector_state& state, const envelope& query) {
  state.node->actors().failed(query, {.kind = failure_kind::handler_failed,
                                      .certainty = certainty::not_done,
                                      .text = state.part->trouble(),
                                      .message = {}});
}

// What waits for a position that does not come must not count as admitted for ever.
void drop_past_deadline(projector_state& state) {
  auto& node = state.node->actors();
  auto now = node.now();
  std::erase_if(state.parked, [&](const parked_query& query) {
    bool past = query.message.head().deadline <= now;
    if (past)
      node.failed(query.message, past_deadline(query.message));
    return past;
  });
}

bool may_pass(const storage_error& error) {
  return error.kind == storage_error_kind::full || error.kind == storage_error_kind::io;
}

void be_in_trouble(projector_state& state, log_level level, std::string why) {
  if (why == state.part->trouble())
    return;
  state.node->actors().log(level, why);
  state.part->set_trouble(std::move(why));
}

void try_again(projector_self self, std::chrono::milliseconds delay) {
  auto& state = self->state;
  state.not_before = state.node->steady_now() + delay;
  self->delayed_send(self, delay, bell_atom::value);
}

void stop_projecting(projector_state& state, const storage_error& error) {
  be_in_trouble(
      state, log_level::error,
      "projection " + state.part->store->definition().name() + " has stopped: " + to_string(error));
  state.part->failed.store(true, std::memory_order_release);
  for (const auto& query : state.parked)
    refuse(state, query.message);
  state.parked.clear();
}

void step(projector_self self) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (state.part->failed.load(std::memory_order_acquire) || node.now() < state.not_before)
    return;
  // Before reading: an event that is appended from here on rings again.
  state.part->rung.store(false, std::memory_order_release);
  auto skipped = state.part->store->skipped_count();
  auto done = state.part->store->catch_up(*node.journal, max_step_events);
  if (!done && done.error().kind == storage_error_kind::unreachable) {
    // The bell rings when the journal is within reach again; this is for an answer that was lost.
    be_in_trouble(state, log_level::warning, to_string(done.error()));
    self->delayed_send(self, unreachable_pause, bell_atom::value);
    return;
  }
  if (!done) {
    if (!may_pass(done.error())) {
      stop_projecting(state, done.error());
      return;
    }
    be_in_trouble(state, log_level::error, to_string(done.error()));
    try_again(self, projector_retry);
    return;
  }
  state.part->checkpoint.store(done->checkpoint, std::memory_order_release);
  if (auto more = state.part->store->skipped_count() - skipped; more != 0)
    node.log(log_level::warning,
             "projection " + state.part->store->definition().name() +
                 " skipped events that it cannot apply, now: " + std::to_string(more) +
                 ", in all: " + std::to_string(skipped + more));
  release(state);
  if (done->held_up) {
    be_in_trouble(state, log_level::warning, done->held_up->text);
    try_again(self, done->retry_after);
    return;
  }
  state.part->set_trouble({});
  if (done->more && !state.part->rung.exchange(true, std::memory_order_acq_rel))
    self->send(self, bell_atom::value);
}

// The first step empties the tables that are filled; each of the others fills some more.
void rebuild_some(projector_self self) {
  auto& state = self->state;
  auto& node = state.node->actors();
  auto& part = *state.part;
  const auto& name = part.store->definition().name();
  result<catch_up_progress, storage_error> done = catch_up_progress{.more = true};
  if (!part.rebuilding.exchange(true, std::memory_order_acq_rel)) {
    if (auto begun = part.store->begin_rebuild(); !begun)
      done = begun.error();
  } else {
    done = part.store->rebuild_some(*node.journal, max_step_events);
  }
  if (!done) {
    node.log(log_level::error, "the rebuild of projection " + name + " has ended: " +
                                   to_string(done.error()) + ". The rows are as they were");
    part.rebuilding.store(false, std::memory_order_release);
    return;
  }
  if (done->held_up || done->more) {
    self->delayed_send(self, done->retry_after, tick_atom::value);
    return;
  }
  node.log(log_level::info, "projection " + name + " is rebuilt");
  part.rebuilding.store(false, std::memory_order_release);
  part.set_trouble({});
  part.checkpoint.store(done->checkpoint, std::memory_order_release);
  part.failed.store(false, std::memory_order_release);
  release(state);
  self->send(self, bell_atom::value);
}

projector_actor::behavior_type projector_behavior(projector_self self, runtime* node,
                                                  projector_part* part) {
  self->state.node = node;
  self->state.part = part;
  return {
      [self](bell_atom) { step(self); },
      [self](parked_query& query) {
        auto& state = self->state;
        if (state.part->failed.load(std::memory_order_acquire)) {
          refuse(state, query.message);
          return;
        }
        if (auto deadline = query.message.head().deadline; deadline != steady_time::max()) {
          auto left =
              std::chrono::ceil<std::chrono::milliseconds>(deadline - state.node->steady_now());
          self->delayed_send(self, std::max(left, std::chrono::milliseconds{0}), sweep_atom::value);
        }
        state.parked.push_back(std::move(query));
        release(state);
      },
      [self](rebuild_atom) {
        if (!self->state.part->rebuilding.load(std::memory_order_acquire))
          rebuild_some(self);
      },
      [self](tick_atom) { rebuild_some(self); },
      [self](sweep_atom) { drop_past_deadline(self->state); },
      [self](stop_atom) { self->quit(); },
  };
}

}  // namespace

projector_actor spawn_projector(runtime& node, projector_part& part) {
  auto& system = *node.actors().system;
  if (node.actors().deterministic())
    return system.spawn(projector_behavior, &node, &part);
  return system.spawn<caf::detached>(projector_behavior, &node, &part);
}

}  // namespace microlith::internal
