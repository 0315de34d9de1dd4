#include "support/stuck_after.hpp"

#include <microlith/actors/internal/link/dialler.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <thread>
#include <utility>

using namespace microlith;
using namespace microlith::internal;
using namespace std::chrono_literals;

namespace {

struct listening_socket {
  listening_socket() : opened{listen_at(resolve({"127.0.0.1", "0"}, true).found[0])} {
    BOOST_REQUIRE(opened.descriptor >= 0);
    address = local_address(opened.descriptor);
  }
  ~listening_socket() { end(); }
  void end() {
    if (opened.descriptor >= 0)
      ::close(std::exchange(opened.descriptor, -1));
  }
  opened_socket opened;
  std::string address;
};

link_dialler::outcome outcome_of(link_dialler& from) {
  auto until = std::chrono::steady_clock::now() + test::stuck_after;
  while (std::chrono::steady_clock::now() < until) {
    if (auto one = from.take_outcome(std::chrono::steady_clock::now()))
      return *std::move(one);
    std::this_thread::yield();
  }
  return {.problem = "stuck"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dialler)

BOOST_AUTO_TEST_CASE(a_connection_stands_where_somebody_listens_and_is_refused_where_nobody_does) {
  listening_socket there;
  link_dialler dials{false};
  dials.dial(1, there.address, std::chrono::steady_clock::now());
  auto stands = outcome_of(dials);
  BOOST_TEST(stands.id == 1U);
  BOOST_TEST(stands.problem == "");
  BOOST_TEST_REQUIRE(stands.descriptor >= 0);
  BOOST_TEST(::send(stands.descriptor, "x", 1, MSG_NOSIGNAL) == 1);
  ::close(stands.descriptor);

  there.end();
  dials.dial(2, there.address, std::chrono::steady_clock::now());
  auto refused = outcome_of(dials);
  BOOST_TEST(refused.id == 2U);
  BOOST_TEST(refused.refused);
  BOOST_TEST(refused.descriptor < 0);
  BOOST_TEST(refused.problem == "Connection refused: does the node run?");
  BOOST_TEST((dials.deadline() == link_time::max()));
}

BOOST_AUTO_TEST_CASE(a_knock_is_answered_and_leaves_nothing_open) {
  listening_socket there;
  link_dialler dials{false};
  dials.knock(1, there.address, std::chrono::steady_clock::now());
  auto answered = outcome_of(dials);
  BOOST_TEST(answered.problem == "");
  BOOST_TEST(answered.descriptor < 0);
  auto taken = ::accept(there.opened.descriptor, nullptr, nullptr);
  BOOST_TEST_REQUIRE(taken >= 0);
  char byte = 0;
  BOOST_TEST(::recv(taken, &byte, 1, 0) == 0);
  ::close(taken);

  there.end();
  dials.knock(2, there.address, std::chrono::steady_clock::now());
  BOOST_TEST(outcome_of(dials).refused);
}

BOOST_AUTO_TEST_CASE(of_several_addresses_one_at_which_somebody_listens_is_enough) {
  listening_socket there;
  auto port = there.address.substr(there.address.rfind(':'));
  link_dialler dials{false};
  // As many hosts have it, ::1 is localhost, too; and is tried first every other time.
  for (connection_id id = 1; id <= 4; ++id) {
    dials.dial(id, "localhost" + port, std::chrono::steady_clock::now());
    auto stands = outcome_of(dials);
    BOOST_TEST(stands.problem == "");
    BOOST_TEST(stands.descriptor >= 0);
    ::close(stands.descriptor);
  }
  there.end();
  for (connection_id id = 5; id <= 8; ++id) {
    dials.dial(id, "localhost" + port, std::chrono::steady_clock::now());
    BOOST_TEST(outcome_of(dials).refused);
  }
}

BOOST_AUTO_TEST_CASE(what_comes_of_one_is_told_while_another_waits) {
  // A host that takes no more connections says nothing to the next one.
  listening_socket full;
  BOOST_REQUIRE(::listen(full.opened.descriptor, 0) == 0);
  listening_socket there;
  link_dialler dials{false};
  auto now = std::chrono::steady_clock::now();
  for (connection_id id = 1; id <= 3; ++id)
    dials.dial(id, full.address, now);
  std::vector<int> taken;
  while (auto one = dials.take_outcome(std::chrono::steady_clock::now()))
    taken.push_back(one->descriptor);
  BOOST_TEST(taken.size() < 3U);
  dials.dial(4, there.address, now);
  auto stands = outcome_of(dials);
  BOOST_TEST(stands.id == 4U);
  BOOST_TEST(stands.descriptor >= 0);
  taken.push_back(stands.descriptor);
  BOOST_TEST((dials.deadline() < link_time::max()));
  for (connection_id id = 1; id <= 3; ++id)
    dials.forget(id);
  BOOST_TEST((dials.deadline() == link_time::max()));
  for (auto descriptor : taken)
    ::close(descriptor);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_or_is_beyond_the_machine_is_not_called_refused) {
  link_dialler dials{false};
  auto now = std::chrono::steady_clock::now();
  for (const char* address : {"nonsense", "192.0.2.1:4101"}) {
    dials.dial(1, address, now);
    auto failed = outcome_of(dials);
    BOOST_TEST(!failed.refused);
    BOOST_TEST(failed.descriptor < 0);
    BOOST_TEST(failed.problem != "");
    BOOST_TEST(failed.problem != "stuck");
  }
}

BOOST_AUTO_TEST_SUITE_END()
