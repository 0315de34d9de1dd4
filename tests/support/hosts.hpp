#pragma once

// Hosts on one machine: network namespaces, each with a cable to a switch. Needs root and iproute2;
// without them nothing is `fine`, and a test says that it is skipped.

#include "support/poor_wire.hpp"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
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
    return on_network(space(host), function);
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
  /// What a host sends from now on is late, and some of it is lost: another wire is put between its
  /// cable and the switch.
  bool worsen(std::size_t host) {
    auto number = std::to_string(host);
    bool plugged =
        run("ip -n " + name_ + " link set port" + number + " nomaster") &&
        run("ip -n " + name_ + " link add end" + number + " type veth peer name socket" + number) &&
        run("ip -n " + name_ + " link set socket" + number + " master switch up") &&
        run("ip -n " + name_ + " link set end" + number + " up");
    for (std::size_t each = 0; plugged && each < count_; ++each)
      plugged = on_network(space(each), [] { return sends_whole_frames("cable"); });
    if (!plugged)
      return false;
    on_network(name_, [&] {
      wires_.push_back(std::make_unique<poor_wire>("port" + number, "end" + number));
    });
    return wires_.back()->fine();
  }
  /// Frames that poor wires have lost so far.
  [[nodiscard]] std::size_t lost_frames() const {
    std::size_t all = 0;
    for (const auto& wire : wires_)
      all += wire->lost();
    return all;
  }

 private:
  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }
  template <class F>
  static std::invoke_result_t<F> on_network(const std::string& name, F function) {
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
    } there{"/run/netns/" + name};
    return function();
  }
  // By itself a veth leaves checksums, and cutting into frames, to hardware that it has not.
  static bool sends_whole_frames(const char* interface) {
    int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = socket >= 0;
    for (std::uint32_t off : {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO}) {
      ethtool_value value{off, 0};
      ifreq request{};
      std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
      request.ifr_data = reinterpret_cast<char*>(&value);
      ok = ok && ::ioctl(socket, SIOCETHTOOL, &request) == 0;
    }
    ::close(socket);
    return ok;
  }
  [[nodiscard]] std::string space(std::size_t host) const {
    return name_ + "-" + std::to_string(host);
  }

  // What an earlier test left behind, which was killed, has another one.
  std::string name_ = "microlith-" + std::to_string(std::random_device{}());
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<poor_wire>> wires_;
};

inline constexpr const char* without_hosts = "skipped: network namespaces need root and iproute2";

}  // namespace microlith::test
