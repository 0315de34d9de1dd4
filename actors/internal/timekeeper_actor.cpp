// Keeps the time limits of all waits with one clock entry, and runs the callbacks of waits.

#include <microlith/actors/internal/actors_part.hpp>

namespace microlith::internal {

namespace {

struct timekeeper_state {
  runtime* node = nullptr;
  std::uint64_t last_tick = 0;  // only the newest entry counts
  steady_time armed = steady_time::max();
};

using timekeeper_self = timekeeper_actor::stateful_pointer<timekeeper_state>;

void arm(timekeeper_self self, steady_time when) {
  // Requests of several threads may come in another order than they were made in.
  if (when >= self->state.armed)
    return;
  self->state.armed = when;
  auto now = self->state.node->steady_now();
  // Rounded up to a millisecond: a tick that comes early would only come again.
  auto delay = std::max(std::chrono::ceil<std::chrono::milliseconds>(when - now),
                        std::chrono::milliseconds{0});
  self->delayed_send(self, delay, tick_atom::value, ++self->state.last_tick);
}

timekeeper_actor::behavior_type timekeeper_behavior(timekeeper_self self, runtime* node) {
  self->state.node = node;
  return {
      [self](arm_atom, std::int64_t when) { arm(self, steady_time{steady_time::duration{when}}); },
      [self](tick_atom, std::uint64_t number) {
        if (number != self->state.last_tick)
          return;
        auto& node = self->state.node->actors();
        self->state.armed = steady_time::max();
        auto next = node.talks->expire(node.now());
        if (next != steady_time::max())
          arm(self, next);
      },
      [self](stop_atom) { self->quit(); },
  };
}

struct callback_state {
  runtime* node = nullptr;
};

void call(runtime& node, std::unique_ptr<called_wait> ended) {
  try {
    handler_scope scope;
    ended->call();
  } catch (...) {
    node.actors().log(log_level::error,
                      "the callback of a wait threw: " + current_exception_text());
  }
}

callback_actor::behavior_type callback_behavior(
    callback_actor::stateful_pointer<callback_state> self, runtime* node) {
  self->state.node = node;
  return {
      [self](bell_atom) {
        auto& state = self->state;
        if (read_step(state.node->actors().to_call_back,
                      [&](auto&& ended) { call(*state.node, std::move(ended)); }))
          self->send(self, bell_atom::value);
      },
      [self](stop_atom) {
        auto& waiting = self->state.node->actors().to_call_back;
        while (auto* ended = waiting.next())
          call(*self->state.node, std::move(*ended));
        self->quit();
      },
  };
}

}  // namespace

timekeeper_actor spawn_timekeeper(runtime& node) {
  return node.actors().system->spawn(timekeeper_behavior, &node);
}

callback_actor spawn_callbacks(runtime& node) {
  return node.actors().system->spawn(callback_behavior, &node);
}

}  // namespace microlith::internal
