// The links of a node over the network, as its cluster file says.

#include <microlith/actors/internal/cluster/cluster_start.hpp>

namespace microlith::internal {

result<std::unique_ptr<links>, storage_error> make_links(caf::actor_system&,
                                                         const cluster_setup& setup,
                                                         std::function<void(const std::string&)>) {
  if (setup.wiring)
    return setup.wiring->make_links(setup.node);
  return storage_error{.kind = storage_error_kind::unusable,
                       .text = "links between processes are not part of this program yet"};
}

void load_network(caf::actor_system_config&) {}

}  // namespace microlith::internal
