#include "auth/http/ip_address.hpp"

#include <boost/test/unit_test.hpp>

namespace http = auth::http;
using namespace auth::http;

BOOST_AUTO_TEST_SUITE(ip_address)

BOOST_AUTO_TEST_CASE(addresses_are_read_and_written) {
  for (const auto* text : {"127.0.0.1", "192.0.2.255", "::", "::1", "2001:db8::1", "fe80::1"})
    BOOST_TEST(to_string(http::ip_address::parse(text).value()) == text);
}

BOOST_AUTO_TEST_CASE(what_is_not_an_address_is_refused) {
  for (const auto* text : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4:80", "[::1]",
                           "example.org", "fe80::1%lo", ":::", "1.2.3.4 "})
    BOOST_TEST(!http::ip_address::parse(text).has_value(), text);
  BOOST_TEST(!http::ip_address::parse(std::string(1'000, '1')).has_value());
}

BOOST_AUTO_TEST_CASE(both_spellings_of_an_ipv4_address_are_one) {
  auto mapped = http::ip_address::parse("::ffff:192.0.2.1").value();
  BOOST_TEST((mapped == http::ip_address::parse("192.0.2.1").value()));
  BOOST_TEST(mapped.is_v4());
  BOOST_TEST(to_string(mapped) == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(loopback_is_known_in_both_families) {
  for (const auto* text : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    BOOST_TEST(http::ip_address::parse(text)->is_loopback(), text);
  for (const auto* text : {"128.0.0.1", "0.0.0.0", "::", "::2", "10.0.0.1"})
    BOOST_TEST(!http::ip_address::parse(text)->is_loopback(), text);
}

BOOST_AUTO_TEST_CASE(a_network_is_an_ipv4_address_or_an_ipv6_64) {
  auto network = [](const char* text) {
    return to_string(network_of(http::ip_address::parse(text).value()));
  };
  BOOST_TEST(network("192.0.2.77") == "192.0.2.77");
  BOOST_TEST(network("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
}

BOOST_AUTO_TEST_SUITE_END()
