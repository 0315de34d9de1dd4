#pragma once

// The components of the sample, wired through buses only. Descriptions: nothing runs until a node
// hosts them.

#include <microlith/actors/component.hpp>

#include <vector>

namespace auth {

/// Decides who may register and sign in, and which requests are repetitions.
[[nodiscard]] microlith::component commands_component();

/// Knows who is signed in.
[[nodiscard]] microlith::component queries_component();

/// What the gateway sends and waits for; its work is done by gateway.hpp.
[[nodiscard]] microlith::component gateway_component();

/// All of them: what the node hosts.
[[nodiscard]] std::vector<microlith::component> components();

}  // namespace auth
