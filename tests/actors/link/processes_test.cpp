// Links between processes: one that freezes, one that dies, and hosts in network namespaces whose
// network is slow, lossy, cut or cut one way.

#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

using namespace microlith::test;

namespace {

struct process {
  process(const std::string& name, const std::string& listen, const temporary_directory& directory,
          const std::vector<std::string>& peers, const std::vector<std::string>& around = {},
          const std::string& silence_ms = "400")
      : child{around.empty() ? std::string{LINK_NODE} : around[0], [&] {
                std::vector<std::string> arguments;
                if (!around.empty()) {
                  arguments.assign(around.begin() + 1, around.end());
                  arguments.emplace_back(LINK_NODE);
                }
                arguments.insert(
                    arguments.end(),
                    {name, listen, (directory.path() / "secret").string(), silence_ms});
                arguments.insert(arguments.end(), peers.begin(), peers.end());
                return arguments;
              }()} {
    auto line = child.read_line();
    BOOST_REQUIRE(line.has_value());
    BOOST_REQUIRE(line->starts_with("listening "));
    address = line->substr(10);
  }

  /// Reads on until it says this. What must never be said fails the test.
  void wait_for(const std::string& wanted) {
    while (auto line = child.read_line()) {
      if (line->starts_with("wrong"))
        BOOST_ERROR(*line);
      if (*line == wanted)
        return;
    }
    BOOST_FAIL("ended without saying '" + wanted + "'");
  }

  child_process child;
  std::string address;
};

struct two_processes {
  two_processes()
      : b{"b", "127.0.0.1:0", directory, {"a=127.0.0.1:1"}},
        a{"a", "127.0.0.1:0", directory, {"b=" + b.address}} {
    a.wait_for("joined b");
    b.wait_for("joined a");
  }
  temporary_directory directory;
  process b;
  process a;
};

bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

/// Two hosts with a cable between them.
struct two_hosts {
  two_hosts() {
    auto number = std::to_string(::getpid());
    for (int i = 0; i < 2; ++i) {
      space[i] = "mllink" + std::to_string(i) + "-" + number;
      fine = fine && run("ip netns add " + space[i]);
    }
    fine = fine &&
           run("ip -n " + space[0] + " link add cable type veth peer name cable netns " + space[1]);
    for (int i = 0; fine && i < 2; ++i)
      fine = run("ip -n " + space[i] + " addr add " + address[i] + "/24 dev cable") &&
             run("ip -n " + space[i] + " link set cable up") &&
             run("ip -n " + space[i] + " link set lo up");
  }
  ~two_hosts() {
    for (const auto& one : space)
      run("ip netns del " + one);
  }

  [[nodiscard]] std::vector<std::string> inside(int host) const {
    return {"/usr/sbin/ip", "netns", "exec", space[host]};
  }
  /// What this host sends to the other one goes to a machine that is not there.
  bool cut_from(int host) const {
    return run("ip -n " + space[host] + " neigh replace " + address[1 - host] +
               " lladdr 02:00:00:00:00:66 nud permanent dev cable");
  }
  bool heal_from(int host) const {
    return run("ip -n " + space[host] + " neigh del " + address[1 - host] + " dev cable");
  }

  std::string space[2];
  const std::string address[2] = {"10.77.0.1", "10.77.0.2"};
  bool fine = true;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(processes)

BOOST_AUTO_TEST_CASE(a_process_that_is_frozen_is_noticed_and_goes_on_where_it_was) {
  two_processes two;
  two.b.wait_for("heard a");
  two.b.child.signal(SIGSTOP);
  two.a.wait_for("interrupted b");
  two.b.child.signal(SIGCONT);
  two.a.wait_for("resumed b");
  two.b.wait_for("heard a");
  two.a.wait_for("heard b");
}

BOOST_AUTO_TEST_CASE(a_process_that_dies_is_lost_when_another_one_takes_its_place) {
  two_processes two;
  two.b.wait_for("heard a");
  two.b.child.signal(SIGKILL);
  two.a.wait_for("interrupted b");
  process again{"b", two.b.address, two.directory, {"a=127.0.0.1:1"}};
  two.a.wait_for("lost b");
  two.a.wait_for("joined b");
  again.wait_for("heard a");
  two.a.wait_for("heard b");
}

BOOST_AUTO_TEST_CASE(hosts_whose_network_is_cut_either_way_go_on_when_it_heals) {
  two_hosts hosts;
  if (::geteuid() != 0 || !hosts.fine) {
    BOOST_TEST_MESSAGE("skipped: network namespaces need root and iproute2");
    return;
  }
  temporary_directory directory;
  process b{"b",
            hosts.address[1] + ":4101",
            directory,
            {"a=" + hosts.address[0] + ":4101"},
            hosts.inside(1)};
  process a{"a",
            hosts.address[0] + ":4101",
            directory,
            {"b=" + hosts.address[1] + ":4101"},
            hosts.inside(0)};
  a.wait_for("joined b");
  b.wait_for("joined a");
  b.wait_for("heard a");

  BOOST_TEST(run("ip -n " + hosts.space[0] + " link set cable down"));
  a.wait_for("interrupted b");
  b.wait_for("interrupted a");
  BOOST_TEST(run("ip -n " + hosts.space[0] + " link set cable up"));
  a.wait_for("resumed b");
  b.wait_for("resumed a");
  b.wait_for("heard a");

  for (int host : {0, 1}) {
    BOOST_TEST(hosts.cut_from(host));
    a.wait_for("interrupted b");
    b.wait_for("interrupted a");
    BOOST_TEST(hosts.heal_from(host));
    a.wait_for("resumed b");
    b.wait_for("resumed a");
    b.wait_for("heard a");
    a.wait_for("heard b");
  }
}

BOOST_AUTO_TEST_CASE(a_network_that_is_slow_and_loses_packets_loses_no_message) {
  two_hosts hosts;
  auto worsen = [&](const std::string& space) {
    return run("tc -n " + space + " qdisc add dev cable root netem delay 20ms 10ms loss 5%");
  };
  if (::geteuid() != 0 || !hosts.fine || !worsen(hosts.space[0]) || !worsen(hosts.space[1])) {
    BOOST_TEST_MESSAGE("skipped: needs root, iproute2 and a kernel that can lose packets (netem)");
    return;
  }
  temporary_directory directory;
  process b{"b",
            hosts.address[1] + ":4101",
            directory,
            {"a=" + hosts.address[0] + ":4101"},
            hosts.inside(1),
            "2000"};
  process a{"a",
            hosts.address[0] + ":4101",
            directory,
            {"b=" + hosts.address[1] + ":4101"},
            hosts.inside(0),
            "2000"};
  for (int i = 0; i < 10; ++i) {
    b.wait_for("heard a");
    a.wait_for("heard b");
  }
}

BOOST_AUTO_TEST_SUITE_END()
