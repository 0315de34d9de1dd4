#include "auth/http/authority.hpp"

#include <boost/test/unit_test.hpp>

namespace http = auth::http;
using namespace auth::http;

namespace {

http::authority host(std::string_view text) {
  return http::authority::parse(text).value();
}

const auto local = http::ip_address::parse("192.0.2.1").value();

}  // namespace

BOOST_AUTO_TEST_SUITE(authority)

BOOST_AUTO_TEST_CASE(hosts_and_ports_are_read) {
  BOOST_TEST(host("Example.ORG").host == "example.org");
  BOOST_TEST(host("example.org.:80").host == "example.org");
  BOOST_TEST(host("example.org:8080").port.value() == 8080);
  BOOST_TEST(host("[::1]:8080").host == "::1");
  BOOST_TEST(host("[::1]:8080").port.value() == 8080);
  BOOST_TEST(!host("[2001:DB8::1]").port.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_not_an_authority_is_refused) {
  for (const auto* text : {"", ":80", "a b", "a/b", "user@host", "host:", "host:x", "host:80x",
                           "host:65536", "host:-1", "[::1", "[example.org]", "[1.2.3.4]", "::1",
                           "http://host", "[::1]x", "h\xC3\xB6st"})
    BOOST_TEST(!http::authority::parse(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(loopback_names_and_the_bound_address_are_ours) {
  const own_names none;
  for (const auto* text : {"localhost", "LOCALHOST:8080", "auth.localhost", "127.0.0.1:1",
                           "127.1.2.3", "[::1]:8080", "192.0.2.1", "192.0.2.1:8080"})
    BOOST_TEST(is_own_host(none, host(text), local), text);
}

BOOST_AUTO_TEST_CASE(other_names_are_ours_only_when_given) {
  const own_names none;
  const own_names given{.hosts = {"auth.example.org"}};
  for (const auto* text : {"auth.example.org", "auth.example.org:80", "AUTH.example.org."}) {
    BOOST_TEST(!is_own_host(none, host(text), local), text);
    BOOST_TEST(is_own_host(given, host(text), local), text);
  }
  for (const auto* text : {"example.org", "evil.auth.example.org", "192.0.2.2",
                           "localhost.evil.org", "127.0.0.1.evil.org"})
    BOOST_TEST(!is_own_host(given, host(text), local), text);
}

BOOST_AUTO_TEST_CASE(an_origin_is_ours_if_it_is_where_the_request_went) {
  const own_names names{.hosts = {"auth.example.org"}};
  BOOST_TEST(is_own_origin(names, "http://localhost:8080", host("localhost:8080")));
  BOOST_TEST(is_own_origin(names, "https://auth.example.org", host("auth.example.org")));
  BOOST_TEST(is_own_origin(names, "http://auth.example.org", host("auth.example.org:80")));
  BOOST_TEST(is_own_origin(names, "http://[::1]:8080", host("[::1]:8080")));
  for (const auto* origin :
       {"null", "", "http://localhost", "http://localhost:8081", "http://127.0.0.1:8080",
        "http://evil.org:8080", "file://", "http://localhost:8080.evil.org",
        "http://localhost:8080/x", "http://auth.example.org", "ftp://localhost:8080"})
    BOOST_TEST(!is_own_origin(names, origin, host("localhost:8080")), origin);
}

BOOST_AUTO_TEST_CASE(a_proxy_may_speak_for_our_names_on_standard_ports) {
  const own_names names{.hosts = {"auth.example.org"}, .behind_proxy = true};
  BOOST_TEST(is_own_origin(names, "https://auth.example.org", host("127.0.0.1:8080")));
  BOOST_TEST(!is_own_origin(names, "https://auth.example.org:3000", host("127.0.0.1:8080")));
  BOOST_TEST(!is_own_origin(names, "https://example.org", host("127.0.0.1:8080")));
}

BOOST_AUTO_TEST_SUITE_END()
