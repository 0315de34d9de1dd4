#pragma once

// What a node tells of itself. Any thread.

#include <microlith/actors/cluster_status.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/statistics.hpp>

namespace microlith::internal {

[[nodiscard]] projection_statistics statistics_of(const projector_part& projector,
                                                  std::uint64_t journal_position);
[[nodiscard]] durable_statistics statistics_of(const durable_part& durable,
                                               std::uint64_t journal_position);

/// Of a node in a cluster.
[[nodiscard]] cluster_status cluster_status_of(const runtime::actors_part& part);

}  // namespace microlith::internal
