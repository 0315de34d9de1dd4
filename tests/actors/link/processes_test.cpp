// Links between processes: one that freezes, one that dies, and hosts in network namespaces whose
// network is slow, lossy, cut or cut one way.

#include "support/child_process.hpp"
#include "support/hosts.hpp"
#include "support/reserved_port.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h>

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
      : b{"b", port_of_b.address(), directory, {"a=" + port_of_a.address()}},
        a{"a", port_of_a.address(), directory, {"b=" + b.address}} {
    a.wait_for("joined b");
    b.wait_for("joined a");
  }
  temporary_directory directory;
  reserved_port port_of_b;
  reserved_port port_of_a;
  process b;
  process a;
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
  BOOST_TEST(two.b.child.wait().signal == SIGKILL);  // only then its port is free
  two.a.wait_for("interrupted b");
  process again{"b", two.b.address, two.directory, {"a=127.0.0.1:1"}};
  two.a.wait_for("lost b");
  two.a.wait_for("joined b");
  again.wait_for("heard a");
  two.a.wait_for("heard b");
}

BOOST_AUTO_TEST_CASE(a_process_that_dies_is_lost_from_either_end_without_another_one) {
  for (bool the_dialling_one : {true, false}) {
    two_processes two;
    auto& dies = the_dialling_one ? two.a : two.b;
    auto& stays = the_dialling_one ? two.b : two.a;
    stays.wait_for(the_dialling_one ? "heard a" : "heard b");
    dies.child.signal(SIGKILL);
    // Of the hour that a connection may take to come back, nobody waits.
    stays.wait_for(the_dialling_one ? "lost a" : "lost b");
  }
}

namespace {

/// A process on each of two hosts.
struct two_hosts {
  two_hosts(const hosts& on, const std::string& silence_ms)
      : b{"b",          on.address(1) + ":4101",
          directory,    {"a=" + on.address(0) + ":4101"},
          on.inside(1), silence_ms},
        a{"a",          on.address(0) + ":4101",
          directory,    {"b=" + on.address(1) + ":4101"},
          on.inside(0), silence_ms} {
    a.wait_for("joined b");
    b.wait_for("joined a");
    b.wait_for("heard a");
  }
  void are_cut_off() {
    a.wait_for("interrupted b");
    b.wait_for("interrupted a");
  }
  void go_on() {
    a.wait_for("resumed b");
    b.wait_for("resumed a");
    b.wait_for("heard a");
    a.wait_for("heard b");
  }
  temporary_directory directory;
  process b;
  process a;
};

}  // namespace

BOOST_AUTO_TEST_CASE(hosts_whose_network_is_cut_either_way_go_on_when_it_heals) {
  hosts network{2};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(without_hosts);
    return;
  }
  two_hosts two{network, "400"};
  BOOST_TEST(network.plug(0, false));
  two.are_cut_off();
  BOOST_TEST(network.plug(0, true));
  two.go_on();
  for (std::size_t host : {0U, 1U}) {
    BOOST_TEST(network.cut(host, 1 - host));
    two.are_cut_off();
    BOOST_TEST(network.heal(host, 1 - host));
    two.go_on();
  }
}

BOOST_AUTO_TEST_CASE(a_network_that_is_slow_and_loses_packets_loses_no_message) {
  hosts network{2};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(without_hosts);
    return;
  }
  BOOST_TEST_REQUIRE(network.worsen(0));
  BOOST_TEST_REQUIRE(network.worsen(1));
  two_hosts two{network, "2000"};
  for (int i = 0; i < 10; ++i) {
    two.b.wait_for("heard a");
    two.a.wait_for("heard b");
  }
  BOOST_TEST(network.lost_frames() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
