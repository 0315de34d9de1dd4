#pragma once

// An actor that runs functions one after the other: what must not be done on a link's thread, with
// a thread of its own where there are threads.

#include <microlith/actors/internal/caf_compat.hpp>

#include <functional>

namespace microlith::internal {

struct task_message {
  std::function<void()> run;
};

class runtime;

}  // namespace microlith::internal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(microlith::internal::task_message)

namespace microlith::internal {

using executor_actor = caf::typed_actor<caf::reacts_to<task_message>,
                                        caf::reacts_to<arm_atom, std::int64_t, task_message>,
                                        caf::reacts_to<stop_atom>>;

executor_actor spawn_executor(runtime& node);

}  // namespace microlith::internal
