#include "auth/options.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace auth;

namespace {

std::variant<auth::options, early_exit> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "auth-node");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

auth::options parsed(const std::vector<const char*>& arguments) {
  auto result = parse(arguments);
  if (auto* exit = std::get_if<early_exit>(&result))
    BOOST_FAIL(exit->text);
  return std::get<auth::options>(result);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(without_options_it_serves_on_loopback_with_data_beside) {
  auto options = parsed({});
  BOOST_TEST(options.data == "./data");
  BOOST_TEST(to_string(options.address) == "127.0.0.1");
  BOOST_TEST(options.port == 8080);
  BOOST_TEST(options.threads == 0U);
  BOOST_TEST((options.password_cost == password_cost::interactive));
  BOOST_TEST(options.registration_limit == 30U);
  BOOST_TEST(options.trusted_proxies.empty());
  BOOST_TEST(!options.public_metrics);
  BOOST_TEST(options.describe.empty());
}

BOOST_AUTO_TEST_CASE(every_option_is_read) {
  auto options = parsed({"--data",
                         "/d",
                         "--http",
                         "[::1]:0",
                         "--threads",
                         "3",
                         "--map-limit",
                         "64M",
                         "--password-cost",
                         "minimum",
                         "--registration-limit",
                         "0",
                         "--host",
                         "Auth.Example.org",
                         "--host",
                         "b.example.org",
                         "--trust-proxy",
                         "10.0.0.1",
                         "--trust-proxy",
                         "::1",
                         "--log-level",
                         "debug",
                         "--public-metrics"});
  BOOST_TEST(options.data == "/d");
  BOOST_TEST(to_string(options.address) == "::1");
  BOOST_TEST(options.port == 0);
  BOOST_TEST(options.threads == 3U);
  BOOST_TEST(options.map_limit_bytes == std::size_t{64} << 20);
  BOOST_TEST((options.password_cost == password_cost::minimum));
  BOOST_TEST(options.registration_limit == 0U);
  BOOST_TEST((options.hosts == std::vector<std::string>{"auth.example.org", "b.example.org"}));
  BOOST_TEST(options.trusted_proxies.size() == 2U);
  BOOST_TEST(options.log_level == "debug");
  BOOST_TEST(options.public_metrics);
}

BOOST_AUTO_TEST_CASE(of_options_given_twice_the_last_counts) {
  auto options =
      parsed({"--data", "/a", "--http", "127.0.0.1:1", "--data", "/b", "--http", "[::1]:2"});
  BOOST_TEST(options.data == "/b");
  BOOST_TEST(to_string(options.address) == "::1");
  BOOST_TEST(options.port == 2);
}

BOOST_AUTO_TEST_CASE(a_map_limit_is_a_number_of_bytes_with_or_without_a_suffix) {
  BOOST_TEST(parsed({}).map_limit_bytes == 0U);
  BOOST_TEST(parsed({"--map-limit", "1048576"}).map_limit_bytes == 1'048'576U);
  BOOST_TEST(parsed({"--map-limit", "2048K"}).map_limit_bytes == 2'097'152U);
  BOOST_TEST(parsed({"--map-limit", "1G"}).map_limit_bytes == std::size_t{1} << 30);
  if constexpr (sizeof(std::size_t) > 4)
    BOOST_TEST(parsed({"--map-limit", "3T"}).map_limit_bytes == 3'298'534'883'328ULL);
}

BOOST_AUTO_TEST_CASE(the_description_is_text_or_a_graph) {
  BOOST_TEST(parsed({"--describe"}).describe == "text");
  BOOST_TEST(parsed({"--describe=dot"}).describe == "dot");
}

BOOST_AUTO_TEST_CASE(the_first_admin_is_named_by_email) {
  BOOST_TEST(parsed({"--create-admin", "a@b.c"}).create_admin.value() == "a@b.c");
}

BOOST_AUTO_TEST_CASE(help_and_version_are_no_errors) {
  auto help = parse({"--help"});
  BOOST_TEST(std::get<early_exit>(help).code == 0);
  for (const auto* option : {"--data", "--http", "--threads", "--map-limit", "--password-cost",
                             "--registration-limit", "--host", "--trust-proxy", "--create-admin",
                             "--log-level", "--describe", "--version", "--help"})
    BOOST_TEST(std::get<early_exit>(help).text.find(option) != std::string::npos, option);
  BOOST_TEST(std::get<early_exit>(help).text.find("\n  --describe [=dot] ") != std::string::npos);
  auto version = parse({"--version"});
  BOOST_TEST(std::get<early_exit>(version).code == 0);
  BOOST_TEST(std::get<early_exit>(version).text.starts_with("auth-node "));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_in_one_line) {
  const std::vector<std::vector<const char*>> wrong{
      {"--colour"},
      {"serve"},
      {"--data"},
      {"--data", ""},
      {"--http", "8080"},
      {"--http", "127.0.0.1"},
      {"--http", "127.0.0.1:99999"},
      {"--http", "127.0.0.1:80x"},
      {"--http", "example.org:80"},
      {"--threads", "0"},
      {"--threads", "-1"},
      {"--threads", "many"},
      {"--map-limit", "64MB"},
      {"--map-limit", "M"},
      {"--map-limit", "64m"},
      {"--map-limit", "-1"},
      {"--map-limit", "1K"},
      {"--map-limit", "99999999T"},
      {"--password-cost", "cheap"},
      {"--registration-limit", "-5"},
      {"--host", "http://example.org"},
      {"--trust-proxy", "proxy"},
      {"--log-level", "loud"},
      {"--describe=svg"},
      {"--describe", "dot"},
      {"--create-admin"},
  };
  for (const auto& arguments : wrong) {
    auto result = parse(arguments);
    const auto* exit = std::get_if<early_exit>(&result);
    BOOST_TEST_CONTEXT(arguments.front()) {
      BOOST_TEST_REQUIRE((exit != nullptr));
      BOOST_TEST(exit->code == 2);
      BOOST_TEST(exit->text.find('\n') == exit->text.size() - 1);
      BOOST_TEST(exit->text.starts_with("auth-node: "));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
