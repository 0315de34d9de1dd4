#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/executor_actor.hpp>

namespace microlith::internal {

namespace {

executor_actor::behavior_type executor_behavior(executor_actor::pointer self) {
  return {
      [](task_message& task) { task.run(); },
      [self](arm_atom, std::int64_t delay_ms, task_message& task) {
        self->delayed_send(self, std::chrono::milliseconds{delay_ms}, std::move(task));
      },
      [self](stop_atom) { self->quit(); },
  };
}

}  // namespace

executor_actor spawn_executor(runtime& node) {
  auto& part = node.actors();
  if (part.deterministic())
    return part.system->spawn(executor_behavior);
  return part.system->spawn<caf::detached>(executor_behavior);
}

}  // namespace microlith::internal
