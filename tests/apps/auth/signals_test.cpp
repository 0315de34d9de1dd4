#include "auth/signals.hpp"

#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h>
#include <unistd.h>

using microlith::test::child_process;

namespace {

void say(std::string_view line) {
  // The streams hold what the test has not written yet.
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0)
    ::_exit(1);
}

/// A process that is asked to end and never does. It says when it may be asked, and that it was.
child_process never_ending(std::chrono::milliseconds limit) {
  return child_process{[limit] {
    const auth::stop_signals stop{limit};
    say("ready\n");
    stop.wait();
    say("asked\n");
    while (true)
      ::pause();
  }};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(what_never_ends_is_cut_short_with_a_word) {
  static_assert(auth::stop_limit < std::chrono::seconds{5});
  for (int asked : {SIGTERM, SIGINT}) {
    auto process = never_ending(std::chrono::milliseconds{50});
    BOOST_TEST_REQUIRE(process.read_line().value_or("") == "ready");
    process.signal(asked);
    auto end = process.wait();
    BOOST_TEST(end.code == 0);
    BOOST_TEST(end.err == "auth-node: stopping took too long and was cut short\n");
  }
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_it_at_once) {
  for (int second : {SIGTERM, SIGINT}) {
    auto process = never_ending(std::chrono::hours{1});
    BOOST_TEST_REQUIRE(process.read_line().value_or("") == "ready");
    process.signal(SIGTERM);
    BOOST_TEST_REQUIRE(process.read_line().value_or("") == "asked");
    process.signal(second);
    auto end = process.wait();
    BOOST_TEST(end.code == 128 + second);
    BOOST_TEST(end.err == "");
  }
}

BOOST_AUTO_TEST_SUITE_END()
