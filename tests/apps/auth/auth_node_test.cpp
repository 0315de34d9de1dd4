// The program as a whole, called from outside and killed. What it says or refuses at its start:
// auth_node_start_test.cpp.

#include "apps/auth/running_auth_node.hpp"
#include "support/node.hpp"
#include "support/reserved_port.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/journal_reader.hpp>

#include <boost/test/unit_test.hpp>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

using auth::test::cookie_of;
using auth::test::running_auth_node;
using microlith::test::http_client;
using microlith::test::temporary_directory;

namespace {

const std::string alice = R"({"email":"alice@example.org","password":"correct horse"})";

std::string user(int i) {
  return R"({"email":"user)" + std::to_string(i) + R"(@example.org","password":"correct horse"})";
}

// How many events of a type the journal in a data directory holds.
int journaled(const std::filesystem::path& data, std::string_view type) {
  auto journal = microlith::journal_reader::open(data).value();
  int count = 0;
  auto last = journal->last_position();
  for (std::uint64_t next = 1; next <= last;) {
    auto read = journal->read(next, {}, [&](const microlith::record_view& record) {
      count += record.type->name == type ? 1 : 0;
      return true;
    });
    next = read.value().next;
  }
  return count;
}

// The sockets of a process, as the system lists them; "tcp 0A 127.0.0.1" and the port of one that
// listens.
std::multiset<std::string> sockets_of(pid_t pid) {
  auto process = "/proc/" + std::to_string(pid);
  std::map<std::string, std::string> known;  // by inode
  for (const char* table : {"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix"}) {
    std::ifstream file{process + "/net/" + table};
    std::string line;
    for (std::getline(file, line); std::getline(file, line);) {
      std::istringstream words{line};
      std::vector<std::string> all{std::istream_iterator<std::string>{words}, {}};
      if (std::string_view{table} == "unix") {
        known[all.at(6)] = "unix " + (all.size() > 7 ? all[7] : std::string{});
        continue;
      }
      auto port = std::stoul(all.at(1).substr(all[1].rfind(':') + 1), nullptr, 16);
      known[all.at(9)] =
          std::string{table} + (all.at(3) == "0A" ? " listens on " : " on ") + std::to_string(port);
    }
  }
  std::multiset<std::string> found;
  for (const auto& each : std::filesystem::directory_iterator{process + "/fd"}) {
    std::error_code gone;
    auto target = std::filesystem::read_symlink(each.path(), gone).string();
    if (!target.starts_with("socket:["))
      continue;
    auto inode = target.substr(8, target.size() - 9);
    auto at = known.find(inode);
    found.insert(at != known.end() ? at->second : "of a family that is not looked at");
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(auth_node)

BOOST_AUTO_TEST_CASE(users_and_sign_ins_survive_a_kill) {
  temporary_directory data;
  std::string cookie;
  {
    running_auth_node node{data.path()};
    BOOST_TEST(node.call("POST", "/api/register", alice).status == 201);
    auto signed_in = node.call("POST", "/api/login", alice);
    BOOST_TEST(signed_in.status == 200);
    cookie = cookie_of(signed_in);
    BOOST_TEST(node.call("GET", "/api/me", {}, {cookie}).status == 200);
    node.process().signal(SIGKILL);
    BOOST_TEST(node.process().wait().signal == SIGKILL);
  }
  running_auth_node node{data.path()};
  BOOST_TEST(node.call("GET", "/api/me", {}, {cookie}).status == 200);
  BOOST_TEST(node.call("POST", "/api/register", alice).status == 409);
  BOOST_TEST(node.call("POST", "/api/login", alice).status == 200);
  BOOST_TEST(node.call("POST", "/api/logout", {}, {cookie}).status == 204);
  BOOST_TEST(node.call("GET", "/api/me", {}, {cookie}).status == 401);
}

BOOST_AUTO_TEST_CASE(without_a_cluster_file_there_is_no_socket_but_that_of_http) {
  temporary_directory data;
  using sockets = std::multiset<std::string>;
  {
    running_auth_node node{data.path()};
    const sockets http{"tcp listens on " + std::to_string(node.port())};
    auto only_http = [&] { return sockets_of(node.process().pid()) == http; };
    microlith::test::eventually(only_http, "what looked whether it is ready has gone");
    BOOST_TEST(node.call("POST", "/api/register", alice).status == 201);
    BOOST_TEST(node.call("POST", "/api/login", alice).status == 200);
    microlith::test::eventually(only_http, "its connections are closed, and nothing else is open");
  }
  // With one its link is seen.
  microlith::test::reserved_port link;
  std::ofstream{data.path() / "cluster.toml"}
      << "[nodes.a]\nlisten = \"" << link.address()
      << "\"\nhosts = [\"journal\", \"auth.commands\", \"auth.queries\", \"auth.gateway\"]\n";
  running_auth_node node{data.path(),
                         {"--cluster", (data.path() / "cluster.toml").string(), "--node", "a"}};
  auto all = sockets_of(node.process().pid());
  BOOST_TEST(all.contains("tcp listens on " + std::to_string(node.port())));
  BOOST_TEST(all.contains("tcp listens on " + std::to_string(link.number())));
}

BOOST_AUTO_TEST_CASE(a_registration_is_repeated_under_its_key_after_a_kill) {
  temporary_directory data;
  const std::string key = "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324";
  std::string answer;
  {
    running_auth_node node{data.path()};
    auto registered = node.call("POST", "/api/register", alice, {key});
    BOOST_TEST(registered.status == 201);
    answer = registered.body;
    node.process().signal(SIGKILL);
    BOOST_TEST(node.process().wait().signal == SIGKILL);
  }
  running_auth_node node{data.path()};
  auto repeated = node.call("POST", "/api/register", alice, {key});
  BOOST_TEST(repeated.status == 201);
  BOOST_TEST(repeated.body == answer);
  BOOST_TEST(node.call("POST", "/api/register", user(1), {key}).status == 422);
  BOOST_TEST(node.call("POST", "/api/register", alice).status == 409);
  BOOST_TEST(journaled(data.path(), "auth.user_registered_event") == 1);
  BOOST_TEST(journaled(data.path(), "auth.idempotency_key_claimed_event") == 1);
}

BOOST_AUTO_TEST_CASE(no_acknowledged_registration_is_lost_by_a_kill) {
  constexpr int rounds = 5;
  constexpr int writers = 4;
  constexpr std::size_t enough = 40;
  temporary_directory data;
  std::set<int> acknowledged;
  std::atomic<int> next{0};
  for (int round = 0; round < rounds; ++round) {
    running_auth_node node{data.path(), {"--registration-limit", "0"}};
    std::mutex mutex;
    std::size_t done = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < writers; ++i) {
      all.emplace_back([&] {
        while (true) {
          auto id = next++;
          http_client client{node.port()};
          const auto body = user(id);
          client.send(
              "POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
              "application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
          auto response = client.receive();
          if (!response)
            return;
          std::lock_guard lock{mutex};
          if (response->status == 201)
            acknowledged.insert(id);
          // In the middle of what the others are doing.
          if (++done == enough)
            node.process().signal(SIGKILL);
        }
      });
    }
    for (auto& each : all)
      each.join();
  }
  BOOST_TEST(acknowledged.size() >= rounds * enough);
  running_auth_node node{data.path(), {"--registration-limit", "0"}};
  http_client client{node.port()};
  for (auto id : acknowledged)
    BOOST_TEST(client.call("POST", "/api/register", user(id)).status == 409, id);
}

BOOST_AUTO_TEST_CASE(it_ends_when_asked_to_and_answers_what_it_was_asked) {
  for (int asked : {SIGTERM, SIGINT}) {
    temporary_directory data;
    running_auth_node node{data.path()};
    http_client idle{node.port()};
    BOOST_TEST(idle.call("POST", "/api/register", alice).status == 201);
    node.process().signal(asked);
    auto end = node.process().wait();
    BOOST_TEST(end.code == 0, end.err);
    BOOST_TEST(idle.ended());
    running_auth_node again{data.path()};
    BOOST_TEST(again.call("POST", "/api/login", alice).status == 200);
  }
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_it_at_once) {
  temporary_directory data;
  running_auth_node node{data.path()};
  http_client half{node.port()};
  half.send("POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n");
  // Connections are taken in order: when this is answered, the other one's request is at hand.
  BOOST_TEST(node.call("GET", "/healthz").status == 200);
  node.process().signal(SIGTERM);
  // It has begun to stop when it takes no new connections; a request at hand gives it two seconds.
  auto stuck = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (http_client{node.port()}.is_connected()) {
    BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < stuck));
    std::this_thread::yield();
  }
  node.process().signal(SIGTERM);
  BOOST_TEST(node.process().wait().code == 128 + SIGTERM);
}

BOOST_AUTO_TEST_CASE(one_thread_is_enough) {
  temporary_directory data;
  running_auth_node node{data.path(), {"--threads", "1"}};
  BOOST_TEST(node.call("POST", "/api/register", alice).status == 201);
  auto cookie = cookie_of(node.call("POST", "/api/login", alice));
  BOOST_TEST(node.call("GET", "/api/me", {}, {cookie}).status == 200);
  BOOST_TEST(node.call("POST", "/api/logout", {}, {cookie}).status == 204);
}

BOOST_AUTO_TEST_CASE(metrics_tell_what_happened) {
  temporary_directory data;
  running_auth_node node{data.path()};
  node.call("POST", "/api/register", alice);
  node.call("POST", "/api/login", alice);
  auto text = node.call("GET", "/metrics").body;
  for (const char* about : {"lag", "stopped", "skipped_events"})
    BOOST_TEST(text.find("microlith_projection_" + std::string{about} +
                         "{projection=\"auth.users\"} 0\n") != std::string::npos,
               text);
  for (const auto* part :
       {"microlith_messages_total{bus=\"command\",type=\"auth.register_command\"} 1",
        "microlith_messages_total{bus=\"event\",type=\"auth.user_registered_event\"} 1",
        "microlith_waits_total{outcome=\"answered\"}",
        "microlith_waits_total{outcome=\"timeout\"} 0",
        "microlith_refused_total{reason=\"no_handler\"} 0", "microlith_commit_batch_events_bucket",
        "microlith_commit_duration_seconds_sum", "microlith_mailbox_depth{",
        "microlith_journal_position 2",
        "auth_http_requests_total{route=\"/api/register\",status=\"201\"} 1",
        "auth_http_requests_total{route=\"/api/login\",status=\"200\"} 1",
        "auth_http_request_duration_seconds_bucket", "auth_http_connections"})
    BOOST_TEST(text.find(part) != std::string::npos, part);
}

BOOST_AUTO_TEST_CASE(no_secret_reaches_the_journal_or_the_log) {
  temporary_directory data;
  running_auth_node node{data.path(), {"--log-level", "trace"}};
  node.call("POST", "/api/register", alice, {"Idempotency-Key: one-staple"});
  auto cookie = cookie_of(node.call("POST", "/api/login", alice));
  node.call("POST", "/api/login", R"({"email":"alice@example.org","password":"wrong horse"})");
  node.call("GET", "/api/me", {}, {cookie});
  node.process().signal(SIGTERM);
  auto end = node.process().wait();
  auto token = cookie.substr(cookie.find('=') + 1);
  auto holds_secret = [&](const std::string& text) {
    return text.find("correct horse") != std::string::npos ||
           text.find("wrong horse") != std::string::npos ||
           text.find("one-staple") != std::string::npos || text.find(token) != std::string::npos;
  };
  BOOST_TEST(!holds_secret(end.err));
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{data.path()}) {
    if (!entry.is_regular_file())
      continue;
    ++files;
    std::ifstream file{entry.path(), std::ios::binary};
    const std::string content{std::istreambuf_iterator<char>{file}, {}};
    BOOST_TEST(!holds_secret(content), entry.path());
    auto mode = std::filesystem::status(entry.path()).permissions();
    BOOST_TEST((mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)),
               entry.path());
  }
  BOOST_TEST(files > 0);
}

// Ten times as many clients as there are workers and places in the queue, for so many requests:
// what cannot be done is refused at once, and memory stays where it was.
BOOST_AUTO_TEST_CASE(load_beyond_what_it_can_do_is_refused_with_flat_memory) {
  constexpr int clients = 660;
  constexpr int requests_each = 12;
  temporary_directory data;
  // The real cost of hashing is what makes the load too much for a machine of any size.
  running_auth_node node{data.path(),
                         {"--password-cost", "interactive", "--registration-limit", "0"}};
  std::atomic<int> done{0};
  std::atomic<int> refused{0};
  std::atomic<int> late{0};  // let in, but the machine was too busy with other things
  std::mutex others_mutex;
  std::string others;
  std::atomic<int> next{0};
  std::atomic<std::size_t> early_bytes{0};
  std::atomic<std::size_t> most_bytes{0};
  auto client_loop = [&](int first, int count) {
    std::vector<std::unique_ptr<http_client>> mine;
    for (int i = 0; i < count; ++i)
      mine.push_back(std::make_unique<http_client>(node.port()));
    for (int round = 0; round < requests_each; ++round) {
      for (auto& client : mine) {
        const auto body = user(next++);
        client->send(
            "POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            "application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
      }
      for (auto& client : mine) {
        auto response = client->receive();
        if (response && response->status == 201)
          ++done;
        else if (response && response->status == 503 && !response->header("retry-after").empty())
          ++refused;
        else if (response && response->status == 504)
          ++late;
        else {
          std::lock_guard lock{others_mutex};
          others += response ? std::to_string(response->status) + ' ' + response->body + '\n'
                             : std::string{"no response\n"};
        }
      }
      auto now = node.process().memory_bytes();
      if (first == 0 && round == 1)
        early_bytes = now;
      for (auto seen = most_bytes.load();
           now > seen && !most_bytes.compare_exchange_weak(seen, now);) {
      }
    }
  };
  constexpr int threads = 6;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back(client_loop, i, clients / threads);
  for (auto& each : all)
    each.join();
  BOOST_TEST(others == "");
  BOOST_TEST(done > 0);
  BOOST_TEST(refused > done + late);
  BOOST_TEST_MESSAGE("done " << done << ", late " << late << ", refused " << refused << ", early "
                             << early_bytes << " bytes, most " << most_bytes << " bytes");
  // Workers come and go with 64 MiB each; nothing else may add up. AddressSanitizer keeps back what
  // is freed, up to 256 MiB.
#ifdef __SANITIZE_ADDRESS__
  constexpr std::size_t kept_back_bytes = std::size_t{256} << 20;
#else
  constexpr std::size_t kept_back_bytes = 0;
#endif
  BOOST_TEST(most_bytes < early_bytes + kept_back_bytes + (std::size_t{256} << 20));
  BOOST_TEST(node.call("GET", "/healthz").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
