// What a node of a cluster does not start with, as its user sees it: one clear line, exit code 2.

#include "apps/auth/running_auth_node.hpp"
#include "support/reserved_port.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

using auth::test::program;
using microlith::test::child_process;
using microlith::test::http_client;
using microlith::test::temporary_directory;

namespace {

const std::string all_hosted = R"("journal", "auth.commands", "auth.queries", "auth.gateway")";

std::string node(const std::string& name, const std::string& listen, const std::string& hosts) {
  return "[nodes." + name + "]\nlisten = \"" + listen + "\"\nhosts = [" + hosts + "]\n";
}

struct started_wrongly {
  child_process::ending start(const std::string& file, std::vector<std::string> more = {}) {
    std::ofstream{directory.path() / "cluster.toml"} << file;
    more.insert(more.begin(),
                {"--cluster", (directory.path() / "cluster.toml").string(), "--node", "a", "--data",
                 (directory.path() / "a").string(), "--http", "127.0.0.1:0"});
    return child_process{program, more}.wait();
  }

  /// Refused, in one line that has all of these in it.
  void refuses(const std::string& file, const std::vector<std::string>& parts,
               std::vector<std::string> more = {}) {
    auto end = start(file, std::move(more));
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.out.empty());
    BOOST_TEST(std::count(end.err.begin(), end.err.end(), '\n') == 1);
    BOOST_TEST(end.err.starts_with("auth-node: "));
    for (const auto& part : parts)
      BOOST_TEST(end.err.find(part) != std::string::npos,
                 "'" << part << "' is not in: " << end.err);
  }

  /// A certificate for `node`, in a directory of its own.
  void make_certificate(const std::string& at, const std::string& name) {
    auto made = child_process{
        MICROLITH_TOOL,
        {"cluster", "certificates", (directory.path() / at).string(), "--node",
         name}}.wait();
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
  }

  temporary_directory directory;
};

std::string tls(const std::string& certificate, const std::string& key,
                const std::string& authority) {
  return "[tls]\ncertificate = \"" + certificate + "\"\nkey = \"" + key + "\"\nauthority = \"" +
         authority + "\"\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refusals)

BOOST_AUTO_TEST_CASE(mistakes_in_the_cluster_file_are_named) {
  started_wrongly node_a;
  node_a.refuses("[nodes.a\n", {"cluster.toml", "line 1"});
  node_a.refuses(node("a", "127.0.0.1:1", all_hosted) + "[colours]\n", {"colours"});
  node_a.refuses(node("a", "127.0.0.1:1", all_hosted + R"(, "auth.mails")"),
                 {"node a hosts 'auth.mails'", "it has: auth.commands"});
  node_a.refuses(
      node("a", "127.0.0.1:1", all_hosted) + node("b", "127.0.0.1:2", R"("auth.queries")"),
      {"auth.queries", "twice", "by a and by b"});
  node_a.refuses(node("a", "127.0.0.1:1", R"("auth.commands", "auth.queries", "auth.gateway")"),
                 {"no node hosts the journal"});
  node_a.refuses(node("a", "127.0.0.1:1", R"("journal", "auth.commands", "auth.queries")"),
                 {"no node hosts the component 'auth.gateway'"});
  node_a.refuses(node("a", "127.0.0.1:1", all_hosted) + node("b", "127.0.0.1:1", ""),
                 {"127.0.0.1:1", "a and b"});
  node_a.refuses(node("b", "127.0.0.1:1", all_hosted), {"no node 'a'; it has: b"});
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_named) {
  started_wrongly node_a;
  node_a.refuses("", {"/nowhere/cluster.toml"}, {"--cluster", "/nowhere/cluster.toml"});
}

BOOST_AUTO_TEST_CASE(beyond_loopback_there_is_tls_unless_it_is_asked_for) {
  started_wrongly node_a;
  node_a.refuses(node("a", "0.0.0.0:1", all_hosted), {"0.0.0.0:1", "[tls]", "--insecure"});
}

BOOST_AUTO_TEST_CASE(a_secret_that_others_may_read_is_refused) {
  started_wrongly node_a;
  auto secret = node_a.directory.path() / "cluster.toml.secret";
  std::ofstream{secret} << std::string(64, 'a') << '\n';
  ::chmod(secret.c_str(), 0644);
  node_a.refuses(node("a", "127.0.0.1:1", all_hosted), {"cluster.toml.secret", "mode 0600"});
  ::chmod(secret.c_str(), 0600);
  std::ofstream{secret} << "open sesame\n";
  node_a.refuses(node("a", "127.0.0.1:1", all_hosted), {"cluster.toml.secret", "no"});
}

BOOST_AUTO_TEST_CASE(certificates_that_do_not_fit_are_refused) {
  started_wrongly node_a;
  node_a.make_certificate("one", "a");
  node_a.make_certificate("one", "b");
  auto nodes = node("a", "127.0.0.1:1", all_hosted);
  node_a.refuses(nodes + tls("one/nobody.pem", "one/a.key", "one/authority.pem"),
                 {"one/nobody.pem"});
  node_a.refuses(nodes + tls("one/a.pem", "one/b.key", "one/authority.pem"), {"one/b.key"});
  node_a.refuses(nodes + tls("one/b.pem", "one/b.key", "one/authority.pem"),
                 {"one/b.pem", "DNS:a"});
}

BOOST_AUTO_TEST_CASE(who_speaks_garbage_to_a_node_is_cut_off_and_nobody_else_is_harmed) {
  temporary_directory directory;
  const microlith::test::reserved_port port;
  std::ofstream{directory.path() / "cluster.toml"} << node("a", port.address(), all_hosted);
  auth::test::running_auth_node running{
      directory.path() / "a",
      {"--cluster", (directory.path() / "cluster.toml").string(), "--node", "a"}};
  for (const auto& garbage : {std::string{"GET / HTTP/1.1\r\n\r\n"}, std::string(4'096, '\xff'),
                              std::string(4'096, '\0')}) {
    http_client stranger{port.number()};
    BOOST_REQUIRE(stranger.is_connected());
    stranger.send(garbage);
    BOOST_TEST(!stranger.receive().has_value());
    BOOST_TEST(stranger.ended());
  }
  BOOST_TEST(running
                 .call("POST", "/api/register",
                       R"({"email":"alice@example.org","password":"correct horse"})")
                 .status == 201);
}

BOOST_AUTO_TEST_SUITE_END()
