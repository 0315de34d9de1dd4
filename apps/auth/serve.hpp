#pragma once

// Running the sample: a node that hosts its components, and the HTTP server before it.

#include "auth/options.hpp"
#include "auth/signals.hpp"

#include <microlith/actors/node.hpp>

namespace auth {

/// The node of these options, hosting the components given. The error says what to do.
[[nodiscard]] microlith::result<microlith::node, microlith::storage_error> start_node(
    const options& options, std::vector<microlith::component> components);

/// Serves until a signal asks for the end; the process' exit code.
[[nodiscard]] int serve(const options& options, const stop_signals& stop);

}  // namespace auth
