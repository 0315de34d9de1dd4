#pragma once

// Where log lines go: standard error, through spdlog.

#include <microlith/actors/node_options.hpp>

#include <functional>
#include <string>

namespace auth {

/// `level` is one of the names that the command line takes.
void start_log(const std::string& level);

/// For a node: what it says, at the level that it says it.
[[nodiscard]] std::function<void(microlith::log_level, const std::string&)> node_log();

}  // namespace auth
