#include "auth/attempt_limits.hpp"

#include <boost/test/unit_test.hpp>

using namespace auth;

using namespace std::chrono_literals;

namespace {

const attempt_limits::time start{1000h};

http::ip_address address(std::string_view text) {
  return http::ip_address::parse(text).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(attempt_limits)

BOOST_AUTO_TEST_CASE(ten_failures_of_one_pair_are_the_most_in_a_minute) {
  auth::attempt_limits limits{30};
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(limits.begin_sign_in("a@b.c", address("192.0.2.1"), start).admitted.has_value());
  auto refused = limits.begin_sign_in("a@b.c", address("192.0.2.1"), start + 15s);
  BOOST_TEST(!refused.admitted.has_value());
  BOOST_TEST(refused.retry_after.count() == 45);
  BOOST_TEST(limits.begin_sign_in("a@b.c", address("192.0.2.1"), start + 60s).admitted.has_value());
}

BOOST_AUTO_TEST_CASE(nobody_can_lock_somebody_else_out) {
  auth::attempt_limits limits{30};
  for (int i = 0; i < 11; ++i)
    static_cast<void>(limits.begin_sign_in("a@b.c", address("192.0.2.1"), start));
  BOOST_TEST(limits.begin_sign_in("a@b.c", address("192.0.2.2"), start).admitted.has_value());
}

BOOST_AUTO_TEST_CASE(a_hundred_failures_of_one_address_are_the_most_in_a_minute) {
  auth::attempt_limits limits{30};
  for (int i = 0; i < 100; ++i) {
    auto email = "user" + std::to_string(i) + "@b.c";
    BOOST_TEST(limits.begin_sign_in(email, address("192.0.2.1"), start).admitted.has_value());
  }
  BOOST_TEST(!limits.begin_sign_in("new@b.c", address("192.0.2.1"), start).admitted.has_value());
}

BOOST_AUTO_TEST_CASE(the_addresses_of_one_ipv6_network_count_as_one) {
  auth::attempt_limits limits{30};
  for (int i = 0; i < 10; ++i) {
    auto neighbour = address("2001:db8:1:2::" + std::to_string(i));
    BOOST_TEST(limits.begin_sign_in("a@b.c", neighbour, start).admitted.has_value());
  }
  auto neighbour = address("2001:db8:1:2:ffff:ffff:ffff:ffff");
  BOOST_TEST(!limits.begin_sign_in("a@b.c", neighbour, start).admitted.has_value());
  BOOST_TEST(limits.begin_sign_in("a@b.c", address("2001:db8:1:3::1"), start).admitted.has_value());
}

BOOST_AUTO_TEST_CASE(sign_ins_that_succeed_are_not_counted) {
  auth::attempt_limits limits{30};
  for (int i = 0; i < 500; ++i) {
    auto admission = limits.begin_sign_in("a@b.c", address("192.0.2.1"), start);
    BOOST_TEST_REQUIRE(admission.admitted.has_value());
    limits.forgive(*admission.admitted);
  }
}

BOOST_AUTO_TEST_CASE(registrations_are_limited_by_address) {
  auth::attempt_limits limits{2};
  BOOST_TEST((limits.begin_registration(address("192.0.2.1"), start) == 0s));
  BOOST_TEST((limits.begin_registration(address("192.0.2.1"), start) == 0s));
  BOOST_TEST((limits.begin_registration(address("192.0.2.1"), start + 100ms) == 60s));
  BOOST_TEST((limits.begin_registration(address("192.0.2.2"), start) == 0s));
}

BOOST_AUTO_TEST_CASE(registrations_may_be_unlimited) {
  auth::attempt_limits limits{0};
  for (int i = 0; i < 1'000; ++i)
    BOOST_TEST((limits.begin_registration(address("192.0.2.1"), start) == 0s));
}

BOOST_AUTO_TEST_SUITE_END()
