// The sample on three hosts: network namespaces with cables, which are slow and lossy, pulled out,
// or cut one way; and processes that stand still.

#include "apps/auth/running_auth_node.hpp"
#include "support/hosts.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

using auth::test::cookie_of;
using auth::test::program;
using microlith::test::child_process;
using microlith::test::hosts;
using microlith::test::http_client;
using microlith::test::http_response;
using microlith::test::temporary_directory;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t journal_host = 0;
constexpr std::size_t rows_host = 1;
constexpr std::size_t gateway_host = 2;
constexpr const char* names[]{"a", "b", "c"};

class running_nodes {
 public:
  explicit running_nodes(const hosts& network) : network_{network} {
    std::ofstream file{directory_.path() / "cluster.toml"};
    const char* components[]{R"("journal", "auth.commands")", R"("auth.queries")",
                             R"("auth.gateway")"};
    for (std::size_t host = 0; host < 3; ++host)
      file << "[nodes." << names[host] << "]\nlisten = \"" << network.address(host)
           << ":4101\"\nhosts = [" << components[host] << "]\n";
    file << "[tls]\ncertificate = \"{node}.pem\"\nkey = \"{node}.key\"\nauthority = "
            "\"authority.pem\"\n";
    // Nothing is given up: what is refused is refused because it was noticed.
    file << "[timings]\nsilence_ms = 500\nlost_after_ms = 600000\n";
    file.close();
    auto made = child_process{
        MICROLITH_TOOL,
        {"cluster", "certificates", directory_.path().string(), "--node", "a", "--node", "b",
         "--node",
         "c"}}.wait();
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
    for (std::size_t host = 0; host < 3; ++host)
      start(host);
    // A user who is there in every test.
    BOOST_REQUIRE_EQUAL(register_user("alice").status, 201);
    cookie = sign_in("alice");
  }

  http_response call(std::string_view method, std::string_view path, std::string_view body = {},
                     const std::vector<std::string>& headers = {}) {
    auto client = network_.on(gateway_host, [&] { return std::make_unique<http_client>(port_); });
    return client->call(method, path, body, headers);
  }

  /// The first answer that is not "not there at the moment".
  http_response insist(std::string_view method, std::string_view path, std::string_view body = {},
                       const std::vector<std::string>& headers = {}) {
    return call_until([](int status) { return status != 503 && status != 504; }, method, path, body,
                      headers);
  }

  /// With a key: an attempt that was carried out, and whose answer was lost, answers the next one.
  http_response register_user(const std::string& name) {
    return insist("POST", "/api/register", user(name), {"Idempotency-Key: " + name});
  }

  /// Until it is known that this cannot be done now; from then on that is said without waiting.
  void is_refused(std::string_view method, std::string_view path, std::string_view body = {}) {
    auto told = call_until([](int status) { return status == 503; }, method, path, body, {cookie});
    BOOST_TEST(told.status == 503);
    BOOST_TEST(told.body == R"({"error":"unavailable"})");
    auto before = std::chrono::steady_clock::now();
    BOOST_TEST(call(method, path, body, {cookie}).status == 503);
    std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - before;
    BOOST_TEST_MESSAGE("refused within " << took.count() << " ms");
  }

  /// All that can be done can be done, and is seen by who has done it.
  void goes_on(const std::string& name) {
    BOOST_TEST(register_user(name).status == 201);
    auto signed_in = sign_in(name);
    BOOST_TEST(insist("GET", "/api/me", {}, {signed_in}).status == 200);
    BOOST_TEST(insist("POST", "/api/logout", {}, {signed_in}).status == 204);
    BOOST_TEST(insist("GET", "/api/me", {}, {signed_in}).status == 401);
    BOOST_TEST(insist("GET", "/api/me", {}, {cookie}).status == 200);
  }

  void freeze(std::size_t host, bool on) const { processes_[host]->signal(on ? SIGSTOP : SIGCONT); }

  static std::string user(const std::string& name) {
    return R"({"email":")" + name + R"(@example.org","password":"correct horse"})";
  }

  std::string cookie;

 private:
  void start(std::size_t host) {
    auto arguments = network_.inside(host);
    auto runs = arguments.front();
    arguments.erase(arguments.begin());
    for (const auto& each : std::vector<std::string>{
             program.string(), "--cluster", (directory_.path() / "cluster.toml").string(), "--node",
             names[host], "--data", (directory_.path() / names[host]).string(), "--password-cost",
             "minimum", "--registration-limit", "0", "--log-level", "warning"})
      arguments.push_back(each);
    if (host == gateway_host)
      arguments.insert(arguments.end(), {"--http", "127.0.0.1:0"});
    auto& process = processes_[host];
    process = std::make_unique<child_process>(runs, arguments);
    auto line = process->read_line();
    if (!line || !line->starts_with("auth-node ready"))
      BOOST_FAIL("node " << names[host] << " did not start: " << process->wait().err);
    if (auto at = line->find("http://127.0.0.1:"); at != std::string::npos)
      port_ = static_cast<std::uint16_t>(std::stoi(line->substr(at + 17)));
  }

  std::string sign_in(const std::string& name) {
    auto told = insist("POST", "/api/login", user(name));
    BOOST_TEST(told.status == 200);
    return cookie_of(told);
  }

  template <class Enough>
  http_response call_until(Enough enough, std::string_view method, std::string_view path,
                           std::string_view body, const std::vector<std::string>& headers) {
    return auth::test::call_until([&] { return call(method, path, body, headers); }, enough);
  }

  const hosts& network_;
  temporary_directory directory_;
  std::unique_ptr<child_process> processes_[3];
  std::uint16_t port_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(three_hosts)

BOOST_AUTO_TEST_CASE(a_host_whose_cable_is_pulled_out_is_noticed_and_goes_on_when_it_is_back) {
  hosts network{3};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(microlith::test::without_hosts);
    return;
  }
  running_nodes nodes{network};
  BOOST_TEST(network.plug(rows_host, false));
  nodes.is_refused("GET", "/api/me");
  // The others have each other.
  BOOST_TEST(nodes.register_user("bob").status == 201);
  BOOST_TEST(network.plug(rows_host, true));
  nodes.goes_on("carol");
  BOOST_TEST(network.plug(journal_host, false));
  nodes.is_refused("POST", "/api/register", nodes.user("dave"));
  // What is there can be read.
  BOOST_TEST(nodes.insist("GET", "/api/me", {}, {nodes.cookie}).status == 200);
  BOOST_TEST(network.plug(journal_host, true));
  nodes.goes_on("erin");
}

BOOST_AUTO_TEST_CASE(a_network_that_is_cut_one_way_is_noticed_from_both_ends_and_heals) {
  hosts network{3};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(microlith::test::without_hosts);
    return;
  }
  running_nodes nodes{network};
  int number = 0;
  for (auto [from, to] : {std::pair{journal_host, gateway_host}, {gateway_host, journal_host}}) {
    BOOST_TEST(network.cut(from, to));
    nodes.is_refused("POST", "/api/register", nodes.user("bob"));
    BOOST_TEST(nodes.insist("GET", "/api/me", {}, {nodes.cookie}).status == 200);
    BOOST_TEST(network.heal(from, to));
    nodes.goes_on("user" + std::to_string(++number));
  }
  // The rows are behind, and whoever writes waits for them.
  BOOST_TEST(network.cut(rows_host, journal_host));
  BOOST_TEST(nodes.register_user("frank").status == 201);
  BOOST_TEST(network.heal(rows_host, journal_host));
  nodes.goes_on("grace");
}

BOOST_AUTO_TEST_CASE(a_node_that_stands_still_is_noticed_and_goes_on_where_it_was) {
  hosts network{3};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(microlith::test::without_hosts);
    return;
  }
  running_nodes nodes{network};
  nodes.freeze(journal_host, true);
  nodes.is_refused("POST", "/api/register", nodes.user("bob"));
  nodes.freeze(journal_host, false);
  nodes.goes_on("carol");
  nodes.freeze(rows_host, true);
  nodes.is_refused("GET", "/api/me");
  nodes.freeze(rows_host, false);
  nodes.goes_on("dave");
}

BOOST_AUTO_TEST_CASE(a_network_that_is_slow_and_loses_packets_is_only_slow) {
  hosts network{3};
  if (!network.fine) {
    BOOST_TEST_MESSAGE(microlith::test::without_hosts);
    return;
  }
  for (std::size_t host : {journal_host, rows_host, gateway_host})
    BOOST_TEST_REQUIRE(network.worsen(host));
  running_nodes nodes{network};
  for (const char* name : {"bob", "carol", "dave"})
    nodes.goes_on(name);
  BOOST_TEST(network.lost_frames() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
