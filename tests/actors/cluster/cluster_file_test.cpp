#include <microlith/actors/internal/cluster/cluster_file.hpp>
#include <microlith/actors/internal/cluster/cluster_start.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;
using namespace microlith::internal;
using namespace std::chrono_literals;

namespace {

const std::string three_nodes = R"(
[nodes.a]
listen = "127.0.0.1:4101"
hosts  = ["journal", "auth.commands"]
[nodes.b]
listen = "[::1]:4102"
hosts  = ["auth.queries"]
[nodes.c]
listen = "c.example.org:4103"
hosts  = ["auth.gateway"]
)";

const std::set<std::string> components{"auth.commands", "auth.queries", "auth.gateway"};

cluster_file parsed(const std::string& text) {
  auto file = parse_cluster_file(text, "/etc/cluster.toml");
  BOOST_REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().text));
  return *file;
}

// Refused, with all of these in the reason.
void refuses(const std::string& text, const std::vector<std::string>& parts) {
  auto file = parse_cluster_file(text, "/etc/cluster.toml");
  BOOST_REQUIRE(!file.has_value());
  for (const auto& part : parts)
    BOOST_TEST(file.error().text.find(part) != std::string::npos,
               "'" << part << "' is not in: " << file.error().text);
}

std::string section(const std::string& name, const std::string& rest) {
  return "[nodes." + name + "]\n" + rest + "\n";
}

const std::string journal_node = section("a", "listen = '127.0.0.1:1'\nhosts = ['journal']");

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_file)

BOOST_AUTO_TEST_CASE(a_file_says_which_node_hosts_what) {
  auto file = parsed(three_nodes);
  BOOST_TEST(file.nodes.size() == 3U);
  BOOST_TEST(file.host_of("journal")->name == "a");
  BOOST_TEST(file.host_of("auth.queries")->address() == "[::1]:4102");
  BOOST_TEST(file.host_of("auth.queries")->is_loopback());
  BOOST_TEST(!file.host_of("auth.gateway")->is_loopback());
  BOOST_TEST(file.host_of("auth.nothing") == nullptr);
  BOOST_TEST(!file.tls.has_value());
  BOOST_TEST((file.timings.silence == 2s));
  BOOST_TEST(file.secret == "/etc/cluster.toml.secret");
  BOOST_TEST(!problem_with(file, "b", components).has_value());
}

BOOST_AUTO_TEST_CASE(paths_start_at_the_file_and_may_name_the_node) {
  auto file = parsed(three_nodes + R"(
[tls]
certificate = "certificates/{node}.pem"
key = "/keys/{node}.key"
authority = "ca.pem"
[timings]
silence_ms = 500
)");
  auto tls = file.tls_of("b");
  BOOST_TEST(tls.certificate == "/etc/certificates/b.pem");
  BOOST_TEST(tls.key == "/keys/b.key");
  BOOST_TEST(tls.authority == "/etc/ca.pem");
  BOOST_TEST((file.timings.silence == 500ms));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_its_place) {
  refuses("[nodes.a\n", {"/etc/cluster.toml", "line 1"});
  refuses("", {"names no node"});
  refuses(journal_node + "[colours]\n", {"colours", "line"});
  refuses(section("a", "listen = '127.0.0.1:1'\nhosts = ['journal']\nport = 3"),
          {"port", "line 4"});
  refuses(section("a", "hosts = ['journal']"), {"[nodes.a]", "listen"});
  refuses(section("a", "listen = '127.0.0.1:1'"), {"[nodes.a]", "hosts"});
  refuses(section("a", "listen = '127.0.0.1:1'\nhosts = [7]"), {"[nodes.a]", "hosts"});
  for (const char* address : {"127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":1", "::1:7", "a b:1",
                              "[::1:7", "[nothing]:7"})
    refuses(section("a", std::string{"listen = '"} + address + "'\nhosts = ['journal']"),
            {"[nodes.a]", "ADDRESS:PORT"});
  refuses("[nodes.\"a b\"]\nlisten = '127.0.0.1:1'\nhosts = ['journal']", {"a b", "letters"});
  refuses(journal_node + "[timings]\nsilence_ms = 'long'", {"silence_ms"});
  refuses(journal_node + "[tls]\ncertificate = 'c'\nkey = 'k'", {"authority"});
}

BOOST_AUTO_TEST_CASE(the_journal_and_each_component_have_exactly_one_place) {
  refuses(section("a", "listen = '127.0.0.1:1'\nhosts = ['x']"), {"no node hosts the journal"});
  refuses(journal_node + section("b", "listen = '127.0.0.1:2'\nhosts = ['journal']"),
          {"journal", "twice", "a and by b"});
  refuses(journal_node + section("b", "listen = '127.0.0.1:2'\nhosts = ['x', 'x']"),
          {"x", "twice"});
  refuses(journal_node + section("b", "listen = '127.0.0.1:1'\nhosts = []"),
          {"127.0.0.1:1", "a and b"});
}

BOOST_AUTO_TEST_CASE(links_are_set_up_as_the_file_says) {
  cluster_setup setup;
  setup.file = parsed(three_nodes + "[timings]\nsilence_ms = 700\nlost_after_ms = 9000\n");
  setup.node = "b";
  auto plain = link_options_of(setup);
  BOOST_TEST((plain.silence_limit == 700ms));
  BOOST_TEST((plain.resume_window == 9s));
  BOOST_TEST(plain.name == "b");
  BOOST_TEST(plain.listen == "[::1]:4102");
  BOOST_TEST(plain.secret_file == "/etc/cluster.toml.secret");
  BOOST_TEST(!plain.tls.has_value());
  BOOST_TEST(!plain.insecure);
  BOOST_REQUIRE(plain.peers.size() == 2 + max_callers);
  BOOST_TEST(plain.peers[0].address == "127.0.0.1:4101");
  BOOST_TEST(plain.peers[2].name == "operator");
  setup.file = parsed(three_nodes + "[tls]\ncertificate = '{node}.pem'\nkey = '{node}.key'\n" +
                      "authority = 'authority.pem'\n");
  auto encrypted = link_options_of(setup);
  BOOST_REQUIRE(encrypted.tls.has_value());
  BOOST_TEST(encrypted.tls->certificate == "/etc/b.pem");
  BOOST_TEST(encrypted.secret_file.empty());
  BOOST_TEST((encrypted.silence_limit == 2s));
  BOOST_TEST((encrypted.resume_window == 10s));
}

BOOST_AUTO_TEST_CASE(no_node_takes_the_name_of_the_tool) {
  refuses(journal_node + section("operator", "listen = '127.0.0.1:2'\nhosts = []"),
          {"[nodes.operator]", "that name is the tool's"});
}

BOOST_AUTO_TEST_CASE(a_file_fits_its_program) {
  auto file = parsed(three_nodes);
  auto unknown_node = problem_with(file, "d", components);
  BOOST_REQUIRE(unknown_node.has_value());
  BOOST_TEST(unknown_node->find("no node 'd'; it has: a, b, c") != std::string::npos);
  auto unknown_component = problem_with(file, "a", {"auth.commands", "auth.queries"});
  BOOST_REQUIRE(unknown_component.has_value());
  BOOST_TEST(unknown_component->find("auth.gateway") != std::string::npos);
  auto homeless =
      problem_with(file, "a", {"auth.commands", "auth.queries", "auth.gateway", "auth.mails"});
  BOOST_REQUIRE(homeless.has_value());
  BOOST_TEST(homeless->find("no node hosts the component 'auth.mails'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named) {
  auto file = read_cluster_file("/nowhere/cluster.toml");
  BOOST_REQUIRE(!file.has_value());
  BOOST_TEST(file.error().text.find("/nowhere/cluster.toml") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
