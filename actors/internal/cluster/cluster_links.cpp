// The links of a node over the network, as its cluster file says.

#include <microlith/actors/internal/cluster/cluster_start.hpp>
#include <microlith/actors/internal/link/broker_links.hpp>
#include <microlith/actors/internal/link/certificate.hpp>

#include <caf/io/middleman.hpp>

namespace microlith::internal {

link_options link_options_of(const cluster_setup& setup) {
  link_options options;
  options.name = setup.node;
  options.listen = setup.file.nodes.at(setup.node).address();
  for (const auto& [name, node] : setup.file.nodes) {
    if (name != setup.node)
      options.peers.push_back({name, node.address()});
  }
  options.caller = operator_name;
  for (auto& name : names_of_callers(options.caller))
    options.peers.push_back({std::move(name), {}});
  if (setup.file.tls) {
    auto files = setup.file.tls_of(setup.node);
    options.tls = link_tls{files.certificate, files.key, files.authority};
  } else {
    options.secret_file = setup.file.secret;
  }
  options.insecure = setup.insecure;
  options.silence_limit = setup.file.timings.silence;
  options.resume_window = setup.file.timings.lost_after;
  return options;
}

result<std::unique_ptr<links>, storage_error> make_links(
    caf::actor_system& system, const cluster_setup& setup,
    std::function<void(const std::string&)> report) {
  if (setup.wiring)
    return setup.wiring->make_links(setup.node);
  if (setup.file.tls) {
    auto files = setup.file.tls_of(setup.node);
    if (auto bad = problem_with_certificate(files.certificate, setup.node); !bad.empty())
      return storage_error{
          .kind = storage_error_kind::unusable,
          .text = "cannot use the certificate " + files.certificate.string() + " for node " +
                  setup.node + ": " + bad +
                  "; no other node would accept it. Name one that is this node's in [tls] of the "
                  "cluster file"};
  }
  auto options = link_options_of(setup);
  options.report = std::move(report);
  auto made = make_broker_links(system, std::move(options));
  if (!made)
    return made.error();
  return std::unique_ptr<links>{std::move(*made)};
}

void load_network(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
}

}  // namespace microlith::internal
