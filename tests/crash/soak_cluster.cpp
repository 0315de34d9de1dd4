#include "crash/soak_cluster.hpp"

#include <signal.h>

#include <fstream>
#include <stdexcept>

namespace microlith::test {

namespace {

constexpr std::array<const char*, soak_cluster::size> hosts{
    R"("journal", "auth.commands")", R"("auth.queries")", R"("auth.gateway")"};

// Short, so that a short run sees nodes cut off, and given up, and back.
constexpr int silence_ms = 600;
constexpr int lost_after_ms = 2'000;

std::string ended_wrongly(std::size_t node, const child_process::ending& how) {
  return std::string{"node "} + soak_cluster::names[node] + " ended by itself, with " +
         (how.signal != 0 ? "signal " + std::to_string(how.signal)
                          : "exit code " + std::to_string(how.code)) +
         ":\n" + how.err;
}

}  // namespace

soak_cluster::soak_cluster(std::filesystem::path directory, bool with_tls)
    : directory_{std::move(directory)} {
  for (std::size_t pair = 0; pair < size; ++pair)
    proxies_[pair] = std::make_unique<link_proxy>(link_ports_[pairs[pair][1]].address());
  write_files(with_tls);
}

// A file each: what a node dials is the proxy of the pair. The last one is the operator's, whose
// links nothing happens to.
void soak_cluster::write_files(bool with_tls) const {
  for (std::size_t self = 0; self <= size; ++self) {
    std::ofstream file{directory_ / (std::string{self < size ? names[self] : "all"} + ".toml")};
    if (!with_tls)
      file << "secret = \"cluster.secret\"\n";
    for (std::size_t node = 0; node < size; ++node) {
      auto listen = link_ports_[node].address();
      for (std::size_t pair = 0; pair < size; ++pair) {
        if (pairs[pair][0] == self && pairs[pair][1] == node)
          listen = proxies_[pair]->address();
      }
      file << "[nodes." << names[node] << "]\nlisten = \"" << listen << "\"\nhosts = ["
           << hosts[node] << "]\n";
    }
    if (with_tls)
      file
          << "[tls]\ncertificate = \"certificates/{node}.pem\"\nkey = \"certificates/{node}.key\"\n"
             "authority = \"certificates/authority.pem\"\n";
    file << "[timings]\nsilence_ms = " << silence_ms << "\nlost_after_ms = " << lost_after_ms
         << "\n";
  }
  if (!with_tls)
    return;
  auto made = child_process{
      MICROLITH_TOOL,
      {"cluster", "certificates", (directory_ / "certificates").string(), "--node", "a", "--node",
       "b", "--node",
       "c"}}.wait();
  if (made.code != 0)
    throw std::runtime_error{"no certificates were made: " + made.err};
}

std::filesystem::path soak_cluster::data(std::size_t node) const {
  return directory_ / names[node];
}

std::string soak_cluster::start(std::size_t node) {
  std::vector<std::string> arguments{
      "--cluster", (directory_ / (std::string{names[node]} + ".toml")).string(), "--node",
      names[node], "--data", data(node).string(), "--password-cost", "minimum",
      "--registration-limit", "0",
      // Clients say where they come from.
      "--trust-proxy", "127.0.0.1", "--public-metrics", "--log-level", "warning",
      node == gateway_node ? "--http" : "--status-http", http_ports_[node].address()};
  auto& process = processes_[node];
  process = std::make_unique<child_process>(AUTH_NODE, arguments);
  auto line = process->read_line();
  if (line && line->starts_with("auth-node ready"))
    return {};
  return std::string{"node "} + names[node] + " did not start: " + process->wait().err;
}

std::string soak_cluster::kill(std::size_t node) {
  auto process = std::move(processes_[node]);
  process->signal(SIGKILL);
  auto how = process->wait();
  return how.signal == SIGKILL ? std::string{} : ended_wrongly(node, how);
}

std::string soak_cluster::stop(std::size_t node) {
  auto process = std::move(processes_[node]);
  process->signal(SIGTERM);
  auto how = process->wait();
  return how.code == 0 ? std::string{} : ended_wrongly(node, how);
}

std::string soak_cluster::move(const std::string& component, std::size_t to) const {
  auto how = child_process{MICROLITH_TOOL,
                           {"cluster", "move", component, "--to", names[to], "--cluster",
                            (directory_ / "all.toml").string()}}
                 .wait();
  return how.code == 0 ? std::string{} : how.err;
}

std::string soak_cluster::status() const {
  auto how = child_process{MICROLITH_TOOL,
                           {"cluster", "status", "--cluster", (directory_ / "all.toml").string()}}
                 .wait();
  return how.out + how.err;
}

void soak_cluster::freeze(std::size_t node) {
  processes_[node]->signal(SIGSTOP);
}

void soak_cluster::thaw(std::size_t node) {
  processes_[node]->signal(SIGCONT);
}

void soak_cluster::cut(std::size_t pair) {
  proxies_[pair]->cut();
}

void soak_cluster::hold(std::size_t pair, link_proxy::direction way, bool on) {
  proxies_[pair]->hold(way, on);
}

}  // namespace microlith::test
