#pragma once

// Hosts on one machine: network namespaces, each with a cable to a switch. Needs root and iproute2;
// without them nothing is `fine`, and a test says that it is skipped.

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace microlith::test {

class hosts {
 public:
  explicit hosts(std::size_t count) {
    fine = ::geteuid() == 0 && run("ip netns add " + name_) &&
           run("ip -n " + name_ + " link add switch type bridge") &&
           run("ip -n " + name_ + " link set switch up");
    for (std::size_t host = 0; fine && host < count; ++host) {
      auto port = "port" + std::to_string(host);
      fine = run("ip netns add " + space(host)) &&
             run("ip -n " + name_ + " link add " + port + " type veth peer name cable netns " +
                 space(host)) &&
             run("ip -n " + name_ + " link set " + port + " master switch up") &&
             run("ip -n " + space(host) + " addr add " + address(host) + "/24 dev cable") &&
             run("ip -n " + space(host) + " link set cable up") &&
             run("ip -n " + space(host) + " link set lo up");
    }
    count_ = count;
  }
  hosts(const hosts&) = delete;
  hosts& operator=(const hosts&) = delete;
  ~hosts() {
    if (::geteuid() != 0)
      return;
    for (std::size_t host = 0; host < count_; ++host)
      run("ip netns del " + space(host));
    run("ip netns del " + name_);
  }

  /// Whether there are hosts.
  bool fine = false;

  [[nodiscard]] std::string address(std::size_t host) const {
    return "10.77.0." + std::to_string(host + 1);
  }
  /// What comes before a program and its arguments, to run it there.
  [[nodiscard]] std::vector<std::string> inside(std::size_t host) const {
    return {"/usr/sbin/ip", "netns", "exec", space(host)};
  }
  /// Runs a function on the network of a host: sockets that it makes stay there.
  template <class F>
  auto on(std::size_t host, F function) const {
    struct visit {
      explicit visit(const std::string& path) {
        int there = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        ::setns(there, CLONE_NEWNET);
        ::close(there);
      }
      ~visit() {
        ::setns(home, CLONE_NEWNET);
        ::close(home);
      }
      int home = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    } there{"/run/netns/" + space(host)};
    return function();
  }

  /// Pulls a host's cable out, or puts it in again.
  bool plug(std::size_t host, bool in) const {
    return run("ip -n " + space(host) + " link set cable " + (in ? "up" : "down"));
  }
  /// What one host sends to another one goes to a machine that is not there.
  bool cut(std::size_t from, std::size_t to) const {
    return run("ip -n " + space(from) + " neigh replace " + address(to) +
               " lladdr 02:00:00:00:00:66 nud permanent dev cable");
  }
  bool heal(std::size_t from, std::size_t to) const {
    return run("ip -n " + space(from) + " neigh del " + address(to) + " dev cable");
  }
  /// What a host sends is late, and some of it is lost. False: this kernel cannot do that.
  bool worsen(std::size_t host) const {
    return run("tc -n " + space(host) + " qdisc add dev cable root netem delay 20ms 10ms loss 5%");
  }

 private:
  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }
  [[nodiscard]] std::string space(std::size_t host) const {
    return name_ + "-" + std::to_string(host);
  }

  // What an earlier test left behind, which was killed, has another one.
  std::string name_ = "microlith-" + std::to_string(std::random_device{}());
  std::size_t count_ = 0;
};

inline constexpr const char* without_hosts = "skipped: network namespaces need root and iproute2";
inline constexpr const char* without_netem =
    "skipped: needs root, iproute2 and a kernel that can delay and lose packets (netem)";

}  // namespace microlith::test
