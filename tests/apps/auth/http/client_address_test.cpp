#include "auth/http/client_address.hpp"

#include <boost/test/unit_test.hpp>

namespace http = auth::http;
using namespace auth::http;

namespace {

http::ip_address address(std::string_view text) {
  return http::ip_address::parse(text).value();
}

std::string client(std::string_view peer, std::string_view forwarded,
                   const std::vector<http::ip_address>& trusted) {
  return to_string(client_address(address(peer), forwarded, trusted));
}

const std::vector<http::ip_address> nobody;
const std::vector<http::ip_address> proxies{address("10.0.0.1"), address("10.0.0.2")};

}  // namespace

BOOST_AUTO_TEST_SUITE(client_address)

BOOST_AUTO_TEST_CASE(without_a_trusted_proxy_the_peer_is_the_client) {
  BOOST_TEST(client("10.0.0.1", "192.0.2.1", nobody) == "10.0.0.1");
  BOOST_TEST(client("10.0.0.9", "192.0.2.1", proxies) == "10.0.0.9");
}

BOOST_AUTO_TEST_CASE(the_last_address_that_a_trusted_proxy_heard_from_is_the_client) {
  BOOST_TEST(client("10.0.0.1", "192.0.2.1", proxies) == "192.0.2.1");
  BOOST_TEST(client("10.0.0.1", "192.0.2.1, 10.0.0.2", proxies) == "192.0.2.1");
  BOOST_TEST(client("10.0.0.1", "192.0.2.1,10.0.0.2 ", proxies) == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(what_the_client_itself_has_written_is_not_believed) {
  BOOST_TEST(client("10.0.0.1", "1.1.1.1, 192.0.2.1", proxies) == "192.0.2.1");
  BOOST_TEST(client("10.0.0.1", "1.1.1.1, 10.0.0.2, 192.0.2.1", proxies) == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(ports_and_brackets_are_left_out) {
  BOOST_TEST(client("10.0.0.1", "192.0.2.1:4711", proxies) == "192.0.2.1");
  BOOST_TEST(client("10.0.0.1", "[2001:db8::1]:4711", proxies) == "2001:db8::1");
  BOOST_TEST(client("10.0.0.1", "2001:db8::1", proxies) == "2001:db8::1");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_ends_the_belief) {
  for (const auto* forwarded : {"", " ", "unknown", "192.0.2.1, ", "192.0.2.1, _hidden", "[::1"})
    BOOST_TEST(client("10.0.0.1", forwarded, proxies) == "10.0.0.1", forwarded);
  BOOST_TEST(client("10.0.0.1", "junk, 10.0.0.2", proxies) == "10.0.0.2");
}

BOOST_AUTO_TEST_SUITE_END()
