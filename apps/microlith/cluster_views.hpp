#pragma once

// What `microlith cluster status` prints. Pure functions of what the nodes answered.

#include <microlith/actors/cluster_client.hpp>

#include <string>
#include <vector>

namespace tool {

/// A paragraph a node: what runs there, what lags, its links.
[[nodiscard]] std::string text_of(const std::vector<microlith::node_answer>& nodes);

/// One line.
[[nodiscard]] std::string json_of(const std::vector<microlith::node_answer>& nodes);

}  // namespace tool
