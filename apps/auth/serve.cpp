#include "auth/serve.hpp"

#include "auth/components.hpp"
#include "auth/gateway.hpp"
#include "auth/http/server.hpp"
#include "auth/http_key.hpp"
#include "auth/log.hpp"
#include "auth/metrics.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

namespace auth {

namespace {

// A hash takes 64 MiB and some 50 to 100 ms of a core: what is let in is answered within two
// seconds, the rest is refused now.
constexpr std::size_t prepare_queue_per_core = 16;
constexpr std::size_t commands_in_flight_limit = 1'024;

constexpr std::chrono::milliseconds request_drain{2'000};
constexpr std::chrono::milliseconds conversation_drain{1'500};
constexpr std::chrono::milliseconds last_replies{300};

// Files of the journal, the log and such, beside the connections.
constexpr rlim_t other_descriptors = 128;

/// As many connections as the process may have descriptors for.
std::size_t connection_limit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return wanted;
  auto needed = static_cast<rlim_t>(wanted) + other_descriptors;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(needed, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
      return wanted;
  }
  if (limit.rlim_cur >= needed)
    return wanted;
  return limit.rlim_cur > 2 * other_descriptors ? limit.rlim_cur - other_descriptors
                                                : other_descriptors;
}

http::own_names names_of(const options& options) {
  http::own_names names{.hosts = options.hosts, .behind_proxy = !options.trusted_proxies.empty()};
  names.hosts.push_back(to_string(options.address));
  return names;
}

std::string url_of(const http::ip_address& address, std::uint16_t port) {
  auto host = to_string(address);
  if (!address.is_v4())
    host = '[' + host + ']';
  return "http://" + host + ':' + std::to_string(port) + '/';
}

int refuse(const std::string& why) {
  std::cerr << "auth-node: " << why << std::endl;
  return exit_wrong_use;
}

}  // namespace

microlith::result<microlith::node, microlith::storage_error> start_node(
    const options& options, std::vector<microlith::component> components) {
  set_password_cost(options.password_cost);
  microlith::node_options node;
  node.name = "auth";
  if (!options.cluster.empty())
    node.cluster = microlith::cluster_options{
        .file = options.cluster, .node = options.node, .insecure = options.insecure};
  node.data = options.data;
  node.threads = options.threads;
  node.journal_map_bytes = options.map_limit_bytes;
  node.max_prepare_queue =
      prepare_queue_per_core * std::max(1U, std::thread::hardware_concurrency());
  node.max_commands_in_flight = commands_in_flight_limit;
  node.drain = conversation_drain;
  node.log = node_log();
  return microlith::node::start(std::move(node), std::move(components));
}

namespace {

/// What is served, and where.
struct front {
  http::ip_address address;
  std::uint16_t port = 0;
};

/// The gateway's address; another node of a cluster may have one for its status. Empty: none.
std::optional<front> front_of(const options& options, bool is_gateway) {
  if (is_gateway)
    return front{options.address, options.port};
  if (options.status_address)
    return front{*options.status_address, options.status_port};
  return std::nullopt;
}

}  // namespace

int serve(const options& options, const stop_signals& stop) {
  auto node = start_node(options, components());
  if (!node)
    return refuse(node.error().text);

  bool is_gateway = node->hosts(gateway_component().name());
  auto at = front_of(options, is_gateway);
  if (!at) {
    std::cout << "auth-node ready: node " << options.node << std::endl;
    stop.wait();
    spdlog::info("stopping");
    node->stop();
    spdlog::info("stopped");
    return 0;
  }

  auto key = is_gateway ? http_key::open(options.data) : http_key::make();
  if (!key)
    return refuse(key.error().text);

  http::server_options server_options{.address = at->address, .port = at->port};
  server_options.limits.connections = connection_limit(server_options.limits.connections);
  http::server* opened = nullptr;
  std::mutex node_mutex;
  bool node_runs = true;  // guarded by node_mutex
  metrics metrics{[&] {
                    std::lock_guard lock{node_mutex};
                    return node_runs ? node->statistics() : microlith::statistics{};
                  },
                  [&opened] { return opened->open_connections(); }};
  server_options.observe = [&metrics](std::string_view route, int status, double seconds) {
    metrics.observe_request(route, status, seconds);
  };
  auto server = http::server::open(std::move(server_options));
  if (!server)
    return refuse(server.error());
  opened = server->get();

  http::router router{names_of(options)};
  auto gateway = std::make_shared<auth::gateway>(
      node->commands(), node->queries(), *key, [&metrics] { return metrics.text(); },
      opened->executor(),
      gateway_options{.trusted_proxies = options.trusted_proxies,
                      .registration_limit = options.registration_limit,
                      .public_metrics = options.public_metrics});
  if (is_gateway)
    gateway->add_routes(router);
  else
    gateway->add_status_routes(router);
  opened->start(router);
  std::cout << "auth-node ready: " << url_of(at->address, opened->port()) << std::endl;

  stop.wait();
  spdlog::info("stopping");
  opened->drain(request_drain);
  {
    std::lock_guard lock{node_mutex};
    node_runs = false;
  }
  node->stop();
  // What still waited has just been told that the node stops; the replies go out.
  opened->drain(last_replies);
  opened->stop();
  spdlog::info("stopped");
  return 0;
}

}  // namespace auth
