// Three processes that share the work of one: what is started, killed and called from outside.

#include "apps/auth/running_auth_node.hpp"
#include "support/reserved_port.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>

using auth::test::cookie_of;
using auth::test::program;
using microlith::test::child_process;
using microlith::test::http_client;
using microlith::test::http_response;
using microlith::test::temporary_directory;

namespace {

using namespace std::chrono_literals;

std::string user(const std::string& name) {
  return R"({"email":")" + name + R"(@example.org","password":"correct horse"})";
}

class three_nodes {
 public:
  three_nodes() {
    std::ofstream file{directory_.path() / "cluster.toml"};
    auto node = [&](const char* name, const char* hosts) {
      file << "[nodes." << name << "]\nlisten = \"" << ports_of_links_[name].address()
           << "\"\nhosts = [" << hosts << "]\n";
    };
    node("a", R"("journal", "auth.commands")");
    node("b", R"("auth.queries")");
    node("c", R"("auth.gateway")");
  }

  void start(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--cluster",
                                       (directory_.path() / "cluster.toml").string(),
                                       "--node",
                                       name,
                                       "--data",
                                       (directory_.path() / name).string(),
                                       "--password-cost",
                                       "minimum",
                                       "--registration-limit",
                                       "0",
                                       "--log-level",
                                       "warning"};
    if (name == "c")
      arguments.insert(arguments.end(), {"--http", "127.0.0.1:0"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto& process = processes_[name];
    process = std::make_unique<child_process>(program, arguments);
    auto line = process->read_line();
    if (!line || !line->starts_with("auth-node ready"))
      BOOST_FAIL("node " << name << " did not start: " << process->wait().err);
    if (auto at = line->find("http://127.0.0.1:"); at != std::string::npos)
      ports_[name] = static_cast<std::uint16_t>(std::stoi(line->substr(at + 17)));
  }

  void kill(const std::string& name) {
    processes_.at(name)->signal(SIGKILL);
    BOOST_TEST(processes_.at(name)->wait().signal == SIGKILL);
  }

  void freeze(const std::string& name) { processes_.at(name)->signal(SIGSTOP); }

  /// Of node c.
  bool anything_in_flight() {
    std::istringstream metrics{call("GET", "/metrics").body};
    bool any = false;
    for (std::string line; std::getline(metrics, line);)
      any = any || (line.starts_with("microlith_in_flight{") && !line.ends_with(" 0"));
    return any;
  }

  child_process::ending stop(const std::string& name) {
    processes_.at(name)->signal(SIGTERM);
    return processes_.at(name)->wait();
  }

  /// Of the tool: `microlith cluster ARGUMENTS --cluster FILE`.
  child_process::ending tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cluster");
    arguments.insert(arguments.end(), {"--cluster", (directory_.path() / "cluster.toml").string()});
    return child_process{MICROLITH_TOOL, arguments}.wait();
  }

  /// `microlith cluster status --json --watch --cluster FILE`, which goes on and on.
  std::unique_ptr<child_process> watch() {
    return std::make_unique<child_process>(
        MICROLITH_TOOL,
        std::vector<std::string>{"cluster", "status", "--json", "--watch", "--cluster",
                                 (directory_.path() / "cluster.toml").string()});
  }

  /// Events of a registration in the journal of a node.
  std::size_t registrations_in(const std::string& name) {
    auto listed = child_process{
        MICROLITH_TOOL,
        {"journal", "ls", "--data", (directory_.path() / name).string(), "--type",
         "auth.user_registered_event", "--limit", "0",
         "--json"}}.wait();
    BOOST_TEST(listed.code == 0, listed.err);
    return static_cast<std::size_t>(std::count(listed.out.begin(), listed.out.end(), '\n'));
  }

  /// Links over TLS, with certificates of an authority made for it.
  void use_certificates() {
    auto folder = directory_.path() / "certificates";
    auto made = child_process{
        MICROLITH_TOOL,
        {"cluster", "certificates", folder.string(), "--node", "a", "--node", "b", "--node",
         "c"}}.wait();
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
    std::ofstream file{directory_.path() / "cluster.toml", std::ios::app};
    file << "[tls]\ncertificate = \"certificates/{node}.pem\"\nkey = \"certificates/{node}.key\"\n"
         << "authority = \"certificates/authority.pem\"\n";
  }
  [[nodiscard]] std::filesystem::path certificate(const std::string& name) const {
    return directory_.path() / "certificates" / (name + ".pem");
  }

  http_response call(std::string_view method, std::string_view path, std::string_view body = {},
                     const std::vector<std::string>& headers = {}, const std::string& node = "c") {
    return http_client{ports_.at(node)}.call(method, path, body, headers);
  }

  /// The first response that is not "not there at the moment".
  http_response call_when_there(std::string_view method, std::string_view path,
                                std::string_view body = {},
                                const std::vector<std::string>& headers = {}) {
    return auth::test::call_until([&] { return call(method, path, body, headers); },
                                  [](int status) { return status != 503 && status != 504; });
  }

  /// With a key: an attempt that was carried out, and whose answer was lost, answers the next one.
  http_response register_when_there(const std::string& name) {
    return call_when_there("POST", "/api/register", user(name), {"Idempotency-Key: " + name});
  }

 private:
  temporary_directory directory_;
  std::map<std::string, microlith::test::reserved_port> ports_of_links_;
  std::map<std::string, std::unique_ptr<child_process>> processes_;
  std::map<std::string, std::uint16_t> ports_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster)

BOOST_AUTO_TEST_CASE(three_processes_do_what_one_does) {
  three_nodes nodes;
  // The order does not matter; what is not there is said to be unavailable, at once.
  nodes.start("c");
  BOOST_TEST(nodes.call("GET", "/healthz").status == 200);
  BOOST_TEST(nodes.call("POST", "/api/register", user("alice")).status == 503);
  nodes.start("b", {"--status-http", "127.0.0.1:0"});
  BOOST_TEST(nodes.call("GET", "/healthz", {}, {}, "b").status == 200);
  BOOST_TEST(nodes.call("GET", "/metrics", {}, {}, "b").body.find("microlith_journal_position") !=
             std::string::npos);
  nodes.start("a");
  BOOST_TEST(nodes.register_when_there("alice").status == 201);
  BOOST_TEST(nodes.call("POST", "/api/register", user("alice")).status == 409);
  BOOST_TEST(nodes.call("POST", "/api/login", user("bob")).status == 401);
  auto signed_in = nodes.call_when_there("POST", "/api/login", user("alice"));
  BOOST_TEST(signed_in.status == 200);
  auto cookie = cookie_of(signed_in);
  BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {cookie}).status == 200);

  for (const char* name : {"a", "b"}) {
    nodes.kill(name);
    auto while_gone =
        nodes.call(name == std::string_view{"a"} ? "POST" : "GET",
                   name == std::string_view{"a"} ? "/api/register" : "/api/me",
                   name == std::string_view{"a"} ? user("carol") : std::string{}, {cookie});
    BOOST_TEST((while_gone.status == 503 || while_gone.status == 504));
    nodes.start(name);
    BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {cookie}).status == 200);
    BOOST_TEST(nodes.call_when_there("POST", "/api/register", user("alice")).status == 409);
  }

  BOOST_TEST(nodes.call_when_there("POST", "/api/logout", {}, {cookie}).status == 204);
  BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {cookie}).status == 401);
  for (const char* name : {"c", "b", "a"})
    BOOST_TEST(nodes.stop(name).code == 0);
}

BOOST_AUTO_TEST_CASE(what_is_in_flight_to_a_process_that_dies_ends_as_unavailable_not_for_time) {
  three_nodes nodes;
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  BOOST_TEST(nodes.register_when_there("alice").status == 201);
  auto cookie = cookie_of(nodes.call_when_there("POST", "/api/login", user("alice")));
  BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {cookie}).status == 200);
  for (const char* dies : {"a", "b"}) {
    while (nodes.anything_in_flight())  // the end of a request may come after its answer
      std::this_thread::yield();
    // Frozen, so that it certainly has not answered.
    nodes.freeze(dies);
    auto told = std::async(std::launch::async, [&] {
      return *dies == 'a' ? nodes.call("POST", "/api/login", user("alice"))
                          : nodes.call("GET", "/api/me", {}, {cookie});
    });
    while (!nodes.anything_in_flight() && told.wait_for(0s) == std::future_status::timeout)
      std::this_thread::yield();
    nodes.kill(dies);
    BOOST_TEST(told.get().body == R"({"error":"unavailable"})");
    nodes.start(dies);
    BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {cookie}).status == 200);
  }
}

BOOST_AUTO_TEST_CASE(components_move_while_clients_keep_working) {
  three_nodes nodes;
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  BOOST_TEST(nodes.register_when_there("first").status == 201);
  auto first = cookie_of(nodes.call_when_there("POST", "/api/login", user("first")));
  BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {first}).status == 200);

  std::mutex mutex;
  std::vector<std::string> wrong;  // under the mutex, as is the next
  std::vector<std::string> registered;
  std::atomic<bool> enough{false};
  auto keep_working = [&](const std::string& client) {
    auto note = [&](const std::string& what, int status) {
      std::lock_guard lock{mutex};
      wrong.push_back(what + ": " + std::to_string(status));
    };
    try {
      for (int i = 0; !enough; ++i) {
        auto name = client + std::to_string(i);
        auto made = nodes.call("POST", "/api/register", user(name));
        if (made.status != 201)
          note("register " + name, made.status);
        auto signed_in = nodes.call("POST", "/api/login", user(name));
        if (signed_in.status != 200)
          note("login " + name, signed_in.status);
        auto me = nodes.call("GET", "/api/me", {}, {cookie_of(signed_in)});
        if (me.status != 200 || me.body.find(name) == std::string::npos)
          note("me " + name, me.status);
        std::lock_guard lock{mutex};
        registered.push_back(name);
      }
    } catch (const std::exception& broken) {
      note(broken.what(), 0);
    }
  };
  {
    std::jthread one{keep_working, "ann"};
    std::jthread two{keep_working, "bob"};
    for (auto [component, to] : {std::pair{"auth.commands", "b"}, std::pair{"auth.queries", "a"},
                                 std::pair{"auth.commands", "c"}, std::pair{"auth.queries", "c"},
                                 std::pair{"auth.commands", "b"}}) {
      auto moved = nodes.tool({"move", component, "--to", to});
      BOOST_TEST(moved.code == 0, component << " to " << to << ": " << moved.err);
    }
    enough = true;
  }
  BOOST_TEST(wrong.empty(), (wrong.empty() ? "" : wrong.front()));
  BOOST_REQUIRE(!registered.empty());
  for (const auto& name : registered)
    BOOST_TEST(nodes.call("POST", "/api/register", user(name)).status == 409);

  auto refused = nodes.tool({"move", "journal", "--to", "b"});
  BOOST_TEST(refused.code == 2);
  BOOST_TEST(refused.err.find("the journal stays where it is") != std::string::npos);
  refused = nodes.tool({"move", "auth.gateway", "--to", "b"});
  BOOST_TEST(refused.err.find("its program does what it does") != std::string::npos);
  auto told = nodes.tool({"status", "--json"});
  BOOST_TEST(told.code == 0);
  BOOST_TEST(told.out.find(R"({"name":"auth.commands","node":"b","epoch":3})") != std::string::npos,
             told.out);

  // Where they were moved they stay.
  for (const char* name : {"c", "b", "a"})
    BOOST_TEST(nodes.stop(name).code == 0);
  auto nobody = nodes.tool({"status"});
  BOOST_TEST(nobody.out.find("not there") != std::string::npos);
  // Whoever was registered was so once: no command ran on two nodes.
  auto events = nodes.registrations_in("a");
  BOOST_TEST(events == registered.size() + 1);
  for (const char* name : {"c", "b", "a"})
    nodes.start(name);
  BOOST_TEST(nodes.call_when_there("POST", "/api/register", user("first")).status == 409);
  BOOST_TEST(nodes.call_when_there("GET", "/api/me", {}, {first}).status == 200);
  told = nodes.tool({"status"});
  BOOST_TEST(told.out.find("hosts auth.commands") != std::string::npos, told.out);

  // Who watches sees what changes.
  auto watching = nodes.watch();
  auto says = [&](bool all_are_there) {
    std::optional<std::string> line;
    for (int i = 0; i < 30 && (line = watching->read_line()); ++i) {
      if ((line->find(R"("there":false)") == std::string::npos) == all_are_there)
        return true;
    }
    return false;
  };
  BOOST_TEST(says(true));
  // Whoever else asks meanwhile takes nothing from who watches.
  for (int i = 0; i < 3; ++i) {
    told = nodes.tool({"status"});
    BOOST_TEST(told.out.find("not there") == std::string::npos, told.out);
    auto line = watching->read_line();
    BOOST_TEST((line && line->find(R"("there":false)") == std::string::npos), line.value_or(""));
  }
  nodes.kill("c");
  BOOST_TEST(says(false));
  watching->signal(SIGINT);
  BOOST_TEST(watching->wait().signal == SIGINT);
}

BOOST_AUTO_TEST_CASE(with_tls_the_operator_needs_a_certificate_too) {
  three_nodes nodes;
  nodes.use_certificates();
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  BOOST_TEST(nodes.register_when_there("first").status == 201);
  auto watching = nodes.watch();
  auto all_there = [&] {
    auto line = watching->read_line();
    return line && line->find(R"("there":false)") == std::string::npos;
  };
  // Whoever registers does not need all of them.
  int looks = 0;
  while (!all_there())
    BOOST_TEST_REQUIRE(++looks < 30);
  auto moved = nodes.tool({"move", "auth.commands", "--to", "b"});
  BOOST_TEST(moved.code == 0, moved.err);
  BOOST_TEST(all_there());
  BOOST_TEST(nodes.call_when_there("POST", "/api/register", user("first")).status == 409);

  // A node's certificate is none of an operator's.
  std::filesystem::copy_file(nodes.certificate("b"), nodes.certificate("operator"),
                             std::filesystem::copy_options::overwrite_existing);
  auto refused = nodes.tool({"move", "auth.commands", "--to", "a"});
  BOOST_TEST(refused.code == 2);
  std::filesystem::remove(nodes.certificate("operator"));
  refused = nodes.tool({"move", "auth.commands", "--to", "a"});
  BOOST_TEST(refused.code == 2);
  BOOST_TEST(refused.err.find("operator.pem") != std::string::npos, refused.err);
  BOOST_TEST(nodes.tool({"status"}).code == 2);
}

BOOST_AUTO_TEST_CASE(a_node_that_the_file_does_not_name_is_refused_and_says_what_there_is) {
  temporary_directory directory;
  auto file = directory.path() / "cluster.toml";
  std::ofstream{file} << "[nodes.a]\nlisten = \"127.0.0.1:1\"\nhosts = [\"journal\", "
                         "\"auth.commands\", \"auth.queries\", \"auth.gateway\"]\n";
  auto ended = child_process{program,
                             {"--cluster", file.string(), "--node", "z", "--data",
                              (directory.path() / "z").string()}}
                   .wait();
  BOOST_TEST(ended.code == 2);
  BOOST_TEST(ended.err.find("no node 'z'; it has: a") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
