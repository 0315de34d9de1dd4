#include "auth/http/server.hpp"

#include "support/http_client.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;
using microlith::test::http_client;
namespace http = auth::http;

namespace {

constexpr auto forever = 3'600s;

// Nothing is cut off unless a test asks for it.
http::limits patient() {
  http::limits limits;
  limits.header_time = limits.body_time = limits.idle_time = limits.write_time = forever;
  return limits;
}

std::unique_ptr<http::server> open(http::limits limits = patient(), std::uint16_t port = 0) {
  auto address = http::ip_address::parse("127.0.0.1").value();
  auto opened = http::server::open({.address = address, .port = port, .limits = limits});
  BOOST_TEST_REQUIRE(opened.has_value(), (opened ? "" : opened.error()));
  return std::move(*opened);
}

// Says back what it was sent.
void echo(const http::request& request, const http::responder& respond) {
  respond({.body = request.method + ' ' + request.target + ' ' + request.body});
}

// Keeps the requests, for the test to answer.
class held_requests {
 public:
  http::handler handler() {
    return [this](http::request, http::responder respond) {
      std::lock_guard lock{mutex_};
      held_.push_back(std::move(respond));
      changed_.notify_all();
    };
  }

  void wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return held_.size() >= count; });
  }

  std::size_t count() {
    std::lock_guard lock{mutex_};
    return held_.size();
  }

  http::responder at(std::size_t index) {
    std::lock_guard lock{mutex_};
    return held_.at(index);
  }

  void drop_all() {
    std::lock_guard lock{mutex_};
    held_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<http::responder> held_;
};

// Returns once the server's thread has done what it was given so far.
void settle(const http::server& server) {
  std::promise<void> reached;
  server.post([&] { reached.set_value(); });
  reached.get_future().wait();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(server)

BOOST_AUTO_TEST_CASE(a_connection_serves_one_request_after_the_other) {
  auto server = open();
  server->start(echo);
  http_client client{server->port()};
  for (int i = 0; i < 3; ++i) {
    auto response = client.call("POST", "/echo", "{}");
    BOOST_TEST(response.status == 200);
    BOOST_TEST(response.body == "POST /echo {}");
  }
}

BOOST_AUTO_TEST_CASE(every_reply_carries_the_headers_that_protect_browsers) {
  auto server = open();
  server->start(echo);
  auto response = http_client{server->port()}.call("GET", "/");
  BOOST_TEST(response.header("x-content-type-options") == "nosniff");
  BOOST_TEST(response.header("x-frame-options") == "DENY");
  BOOST_TEST(response.header("content-type") == "application/json");
  BOOST_TEST(response.header("date").ends_with(" GMT"));
}

BOOST_AUTO_TEST_CASE(requests_sent_ahead_are_answered_in_their_order) {
  auto server = open();
  held_requests held;
  server->start(held.handler());
  http_client client{server->port()};
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  held.wait_for(1);
  settle(*server);
  BOOST_TEST(held.count() == 1U);
  held.at(0)({.body = "first"});
  held.wait_for(2);
  held.at(1)({.body = "second"});
  BOOST_TEST(client.receive()->body == "first");
  BOOST_TEST(client.receive()->body == "second");
}

BOOST_AUTO_TEST_CASE(http_1_0_ends_with_the_reply) {
  auto server = open();
  server->start(echo);
  http_client client{server->port()};
  client.send("GET / HTTP/1.0\r\n\r\n");
  BOOST_TEST(client.receive()->status == 200);
  BOOST_TEST(client.ended());
}

BOOST_AUTO_TEST_CASE(a_reply_to_head_has_the_length_and_no_body) {
  auto server = open();
  server->start(echo);
  http_client client{server->port()};
  auto response = client.call("HEAD", "/");
  BOOST_TEST(response.header("content-length") == std::to_string(std::string{"HEAD / "}.size()));
  BOOST_TEST(client.call("GET", "/").body == "GET / ");
}

BOOST_AUTO_TEST_CASE(a_reply_without_content_has_no_length) {
  auto server = open();
  server->start(
      [](const http::request&, const http::responder& respond) { respond({.status = 204}); });
  http_client client{server->port()};
  for (int i = 0; i < 2; ++i) {
    auto response = client.call("POST", "/");
    BOOST_TEST(response.status == 204);
    BOOST_TEST(response.headers.count("content-length") == 0U);
    BOOST_TEST(response.headers.count("content-type") == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_http_is_refused_in_json) {
  auto server = open();
  server->start(echo);
  for (const auto* text :
       {"nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"}) {
    BOOST_TEST_CONTEXT(text) {
      http_client client{server->port()};
      client.send(text);
      auto response = client.receive();
      BOOST_TEST_REQUIRE(response.has_value());
      BOOST_TEST(response->status == 400);
      BOOST_TEST(response->body == R"({"error":"malformed_request"})");
      BOOST_TEST(client.ended());
    }
  }
}

BOOST_AUTO_TEST_CASE(headers_are_bounded) {
  auto server = open();
  server->start(echo);
  http_client client{server->port()};
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  BOOST_TEST(client.receive()->status == 431);
  BOOST_TEST(client.ended());
}

BOOST_AUTO_TEST_CASE(a_body_may_have_64_kib_and_no_more) {
  auto server = open();
  server->start(echo);
  const std::string most(64 * 1'024, 'x');
  http_client client{server->port()};
  BOOST_TEST(client.call("POST", "/", most).status == 200);
  auto response = client.call("POST", "/", most + 'x');
  BOOST_TEST(response.status == 413);
  BOOST_TEST(response.body == R"({"error":"body_too_large"})");
  BOOST_TEST(client.ended());
}

BOOST_AUTO_TEST_CASE(a_body_in_chunks_is_bounded_as_well) {
  auto server = open();
  server->start(echo);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  http_client client{server->port()};
  client.send(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  BOOST_TEST(client.receive()->body == "POST / abcde");
  client.send(head);
  for (int i = 0; i < 9; ++i)
    client.send("2000\r\n" + std::string(0x2000, 'x') + "\r\n");
  client.send("0\r\n\r\n");
  BOOST_TEST(client.receive()->status == 413);
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_first_is_told_to_go_on) {
  auto server = open();
  server->start(echo);
  http_client client{server->port()};
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  BOOST_TEST(client.receive()->status == 100);
  client.send("{}");
  BOOST_TEST(client.receive()->body == "POST / {}");
}

BOOST_AUTO_TEST_CASE(a_request_that_nobody_answers_is_answered) {
  auto server = open();
  held_requests held;
  server->start(held.handler());
  http_client client{server->port()};
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  held.wait_for(1);
  held.drop_all();
  auto response = client.receive();
  BOOST_TEST(response->status == 500);
  BOOST_TEST(response->body == R"({"error":"internal_error"})");
}

BOOST_AUTO_TEST_CASE(only_the_first_answer_counts) {
  auto server = open();
  server->start([](const http::request&, const http::responder& respond) {
    respond({.body = "first"});
    respond({.body = "second"});
  });
  http_client client{server->port()};
  BOOST_TEST(client.call("GET", "/").body == "first");
  BOOST_TEST(client.call("GET", "/").body == "first");
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_its_headers_slowly_is_cut_off) {
  auto limits = patient();
  limits.header_time = 50ms;
  auto server = open(limits);
  server->start(echo);
  http_client silent{server->port()};
  BOOST_TEST(silent.ended());
  http_client slow{server->port()};
  slow.send("GET / HTTP/1.1\r\n");
  BOOST_TEST(slow.ended());
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_its_body_slowly_is_cut_off) {
  auto limits = patient();
  limits.body_time = 50ms;
  auto server = open(limits);
  server->start(echo);
  http_client client{server->port()};
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  BOOST_TEST(client.ended());
}

BOOST_AUTO_TEST_CASE(an_idle_client_is_cut_off) {
  auto limits = patient();
  limits.idle_time = 50ms;
  auto server = open(limits);
  server->start(echo);
  http_client client{server->port()};
  BOOST_TEST(client.call("GET", "/").status == 200);
  BOOST_TEST(client.ended());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_cut_off) {
  auto limits = patient();
  limits.write_time = 50ms;
  auto server = open(limits);
  std::promise<void> asked;
  server->start([&](const http::request&, const http::responder& respond) {
    asked.set_value();
    respond({.body = std::string(64 << 20, 'x')});
  });
  http_client client{server->port()};
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  asked.get_future().wait();
  while (server->open_connections() > 0)
    settle(*server);
  BOOST_TEST(!client.receive().has_value());
}

BOOST_AUTO_TEST_CASE(connections_are_bounded_and_those_past_the_bound_are_told) {
  auto limits = patient();
  limits.connections = 2;
  auto server = open(limits);
  held_requests held;
  server->start(held.handler());
  http_client first{server->port()};
  http_client second{server->port()};
  first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  held.wait_for(2);

  http_client third{server->port()};
  auto response = third.receive();
  BOOST_TEST_REQUIRE(response.has_value());
  BOOST_TEST(response->status == 503);
  BOOST_TEST(response->body == R"({"error":"overloaded"})");
  BOOST_TEST(response->header("retry-after") == "1");
  BOOST_TEST(third.ended());

  held.at(0)({.body = "first"});
  held.at(1)({.body = "second"});
  BOOST_TEST(first.receive()->body == "first");
  BOOST_TEST(second.receive()->body == "second");
}

BOOST_AUTO_TEST_CASE(the_connection_that_was_idle_longest_makes_room) {
  auto limits = patient();
  limits.connections = 2;
  auto server = open(limits);
  server->start(echo);
  http_client first{server->port()};
  http_client second{server->port()};
  BOOST_TEST(first.call("GET", "/").status == 200);
  BOOST_TEST(second.call("GET", "/").status == 200);
  settle(*server);
  http_client third{server->port()};
  BOOST_TEST(third.call("GET", "/").status == 200);
  BOOST_TEST(first.ended());
  BOOST_TEST(second.call("GET", "/").status == 200);
}

BOOST_AUTO_TEST_CASE(draining_answers_what_has_been_read_and_accepts_nothing_new) {
  auto server = open();
  held_requests held;
  server->start(held.handler());
  http_client busy{server->port()};
  http_client idle{server->port()};
  busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  held.wait_for(1);

  std::thread draining{[&] { server->drain(forever); }};
  BOOST_TEST(idle.ended());
  held.at(0)({.body = "done"});
  auto response = busy.receive();
  BOOST_TEST_REQUIRE(response.has_value());
  BOOST_TEST(response->body == "done");
  BOOST_TEST(response->header("connection") == "close");
  BOOST_TEST(busy.ended());
  BOOST_TEST(!http_client{server->port()}.is_connected());
  server->stop();
  draining.join();
}

BOOST_AUTO_TEST_CASE(stopping_closes_what_is_still_open) {
  auto server = open();
  held_requests held;
  server->start(held.handler());
  http_client busy{server->port()};
  busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  held.wait_for(1);
  auto executor = server->executor();
  server.reset();
  BOOST_TEST(busy.ended());
  // Late answers and functions go nowhere.
  held.at(0)({.body = "late"});
  executor([] { BOOST_ERROR("ran after the end"); });
}

BOOST_AUTO_TEST_CASE(every_reply_is_observed_with_its_route_and_status) {
  std::vector<std::string> seen;
  http::server_options options{.address = http::ip_address::parse("127.0.0.1").value(),
                               .limits = patient()};
  options.observe = [&](std::string_view route, int status, double seconds) {
    seen.push_back(std::string{route} + ' ' + std::to_string(status));
    BOOST_TEST(seconds >= 0);
  };
  auto server = http::server::open(std::move(options));
  (*server)->start([](const http::request& request, const http::responder& respond) {
    if (request.target == "/named")
      respond.name_route("/named");
    respond({.status = 201});
  });
  http_client client{(*server)->port()};
  client.call("GET", "/named");
  client.call("GET", "/other");
  client.send("nonsense\r\n\r\n");
  static_cast<void>(client.receive());
  (*server)->stop();
  BOOST_TEST((seen == std::vector<std::string>{"/named 201", "none 201", "none 400"}));
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_refused_with_advice) {
  auto server = open();
  auto second = http::server::open(
      {.address = http::ip_address::parse("127.0.0.1").value(), .port = server->port()});
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error() == "cannot listen on 127.0.0.1:" + std::to_string(server->port()) +
                                   ": the port is in use; stop what uses it or choose another with "
                                   "--http ADDRESS:PORT");
}

BOOST_AUTO_TEST_CASE(a_foreign_address_is_refused_with_advice) {
  auto opened = http::server::open({.address = http::ip_address::parse("192.0.2.1").value()});
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().starts_with("cannot listen on 192.0.2.1:0: "));
}

BOOST_AUTO_TEST_SUITE_END()
