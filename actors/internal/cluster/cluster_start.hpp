#pragma once

// From the options of a node to its part in a cluster.

#include <microlith/actors/component.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/link/link_options.hpp>
#include <microlith/actors/node_options.hpp>
#include <microlith/persistence/error.hpp>

#include <memory>
#include <vector>

namespace microlith::internal {

/// Reads and checks the cluster file for a program that has these components.
[[nodiscard]] result<cluster_setup, storage_error> plan_cluster(
    const cluster_options& options, const std::vector<component>& components);

/// Whether there is something of a component that a node begins and ends.
[[nodiscard]] bool is_run_by_nodes(const component& of);

/// How the links that the setup asks for are set up.
[[nodiscard]] link_options link_options_of(const cluster_setup& setup);

/// The links that the setup asks for. `report` is told of who was refused.
[[nodiscard]] result<std::unique_ptr<links>, storage_error> make_links(
    caf::actor_system& system, const cluster_setup& setup,
    std::function<void(const std::string&)> report);

/// Before the actor system starts, where there will be links of our own.
void load_network(caf::actor_system_config& config);

/// One deterministic node among several.
[[nodiscard]] std::shared_ptr<stepped_node> make_steps(caf::scheduler::test_coordinator& scheduler);

}  // namespace microlith::internal
