#include "auth/sliding_window.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace auth;

using namespace std::chrono_literals;

namespace {

const sliding_window::time start{1000h};

}  // namespace

BOOST_AUTO_TEST_SUITE(sliding_window)

BOOST_AUTO_TEST_CASE(events_past_the_limit_wait_until_the_oldest_has_left_the_window) {
  auth::sliding_window window{3, 60s};
  for (auto at : {0s, 10s, 20s}) {
    BOOST_TEST((window.wait_time("a", start + at) == 0s));
    window.count("a", start + at);
  }
  BOOST_TEST((window.wait_time("a", start + 20s) == 40s));
  BOOST_TEST((window.wait_time("a", start + 59s) == 1s));
  BOOST_TEST((window.wait_time("a", start + 60s) == 0s));
  window.count("a", start + 60s);
  BOOST_TEST((window.wait_time("a", start + 61s) == 9s));
}

BOOST_AUTO_TEST_CASE(keys_are_counted_apart) {
  auth::sliding_window window{1, 60s};
  window.count("a", start);
  BOOST_TEST((window.wait_time("a", start) == 60s));
  BOOST_TEST((window.wait_time("b", start) == 0s));
}

BOOST_AUTO_TEST_CASE(what_is_taken_back_was_never_there) {
  auth::sliding_window window{2, 60s};
  window.count("a", start);
  window.count("a", start + 1s);
  window.take_back("a", start);
  BOOST_TEST((window.wait_time("a", start + 2s) == 0s));
  window.take_back("a", start + 1s);
  window.take_back("a", start + 1s);
  window.take_back("b", start);
  BOOST_TEST(window.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(a_limit_of_zero_is_none) {
  auth::sliding_window window{0, 60s};
  for (int i = 0; i < 1'000; ++i)
    window.count("a", start);
  BOOST_TEST((window.wait_time("a", start) == 0s));
  BOOST_TEST(window.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_and_the_quietest_keys_are_forgotten_first) {
  auth::sliding_window window{2, 60s, 100};
  window.count("busy", start);
  for (int i = 0; i < 1'000; ++i) {
    window.count("key " + std::to_string(i), start + 1ms * i);
    BOOST_TEST(window.kept() <= 100U);
    if (i == 50)
      window.count("busy", start + 1ms * i);
  }
  BOOST_TEST((window.wait_time("key 999", start + 1s) == 0s));
  BOOST_TEST((window.wait_time("busy", start + 1s) == 0s));
}

BOOST_AUTO_TEST_CASE(what_has_left_the_window_is_let_go) {
  auth::sliding_window window{10, 60s};
  for (int i = 0; i < 100; ++i)
    window.count("key " + std::to_string(i), start);
  BOOST_TEST((window.wait_time("other", start + 60s) == 0s));
  BOOST_TEST(window.kept() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
