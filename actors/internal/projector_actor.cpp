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
  bool again = false;
};

using projector_self = projector_actor::stateful_pointer<projector_state>;

/// Events a transaction: large enough to share its sync, small enough to let queries in between.
constexpr std::uint64_t max_step_events = 10'000;

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
                                      .text = state.part->why,
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

void step(projector_self self) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (state.part->failed.load(std::memory_order_acquire))
    return;
  // Before reading: an event that is appended from here on rings again.
  state.part->rung.store(false, std::memory_order_release);
  auto done = state.part->store->catch_up(*node.journal, max_step_events);
  if (!done) {
    state.part->why = "projection " + state.part->store->definition().name() +
                      " has stopped: " + to_string(done.error());
    state.part->failed.store(true, std::memory_order_release);
    node.log(log_level::error, state.part->why);
    for (const auto& query : state.parked)
      refuse(state, query.message);
    state.parked.clear();
    return;
  }
  state.part->checkpoint.store(done->checkpoint, std::memory_order_release);
  release(state);
  if (done->more && !state.part->rung.exchange(true, std::memory_order_acq_rel))
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
