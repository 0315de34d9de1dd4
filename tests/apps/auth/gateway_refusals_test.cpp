// What clients are told who come too often, or when the node cannot do it now.

#include "apps/auth/site.hpp"
#include "support/scripted_journal.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace auth;
using namespace auth::test;
using namespace std::chrono_literals;

namespace {

// They serve everything, and nobody ever hears of it.
std::vector<microlith::component> silent_components() {
  auto never = [](const auto&, microlith::context& ctx) {
    ctx.wait_for<user_registered_event>(1min).then([](const user_registered_event&) {},
                                                   [](const microlith::failure&) {});
  };
  microlith::component commands{"auth.commands"};
  commands.serves<register_command>(never).serves<claim_idempotency_key_command>(never);
  commands.serves<login_command>(never).serves<logout_command>(never);
  microlith::component queries{"auth.queries"};
  queries.answers<current_user_request>(never);
  return {commands, queries};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gateway_refusals)

BOOST_AUTO_TEST_CASE(guesses_are_limited_and_told_when_to_try_again) {
  site site;
  site.post("/api/register", alice);
  const std::string wrong = R"({"email":"Alice@example.org","password":"wrong horse"})";
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(site.post("/api/login", wrong).status == 401);
  // Even the right password has to wait now.
  for (const auto& body : {wrong, alice}) {
    auto refused = site.post("/api/login", body);
    BOOST_TEST(refused.status == 429);
    BOOST_TEST(refused.body == error("too_many_attempts"));
    BOOST_TEST(std::stoi(refused.header("retry-after")) > 0);
    BOOST_TEST(std::stoi(refused.header("retry-after")) <= 60);
  }
  // Nobody else has.
  BOOST_TEST(
      site.post("/api/login", R"({"email":"bob@example.org","password":"wrong horse"})").status ==
      401);
}

BOOST_AUTO_TEST_CASE(parallel_guesses_are_counted_before_they_are_hashed) {
  site site;
  site.post("/api/register", alice);
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) {
    all.emplace_back([&] {
      for (int j = 0; j < 5; ++j) {
        auto status =
            site.post("/api/login", R"({"email":"alice@example.org","password":"wrong horse"})")
                .status;
        (status == 401 ? answered : refused) += status == 401 || status == 429 ? 1 : 0;
      }
    });
  }
  for (auto& each : all)
    each.join();
  BOOST_TEST(answered == 10);
  BOOST_TEST(refused == 30);
}

BOOST_AUTO_TEST_CASE(sign_ins_that_succeed_are_never_too_many) {
  site site;
  site.post("/api/register", alice);
  for (int i = 0; i < 15; ++i)
    static_cast<void>(site.sign_in());
}

BOOST_AUTO_TEST_CASE(registrations_are_limited) {
  site site{{.registration_limit = 2}};
  auto as = [](int i) {
    return R"({"email":"user)" + std::to_string(i) + R"(@example.org","password":"correct horse"})";
  };
  BOOST_TEST(site.post("/api/register", as(1)).status == 201);
  BOOST_TEST(site.post("/api/register", as(2)).status == 201);
  auto refused = site.post("/api/register", as(3));
  BOOST_TEST(refused.status == 429);
  BOOST_TEST(refused.body == error("too_many_attempts"));
  BOOST_TEST(!refused.header("retry-after").empty());
}

BOOST_AUTO_TEST_CASE(behind_a_trusted_proxy_clients_are_counted_apart_and_cookies_are_secure) {
  site site{
      {.trusted_proxies = {http::ip_address::parse("127.0.0.1").value()}, .registration_limit = 1}};
  BOOST_TEST(site.post("/api/register", alice, {"X-Forwarded-For: 192.0.2.1"}).status == 201);
  auto bob = R"({"email":"bob@example.org","password":"correct horse"})";
  BOOST_TEST(site.post("/api/register", bob, {"X-Forwarded-For: 192.0.2.1"}).status == 429);
  BOOST_TEST(site.post("/api/register", bob, {"X-Forwarded-For: 192.0.2.2"}).status == 201);
  auto signed_in = site.post("/api/login", alice, {"X-Forwarded-For: 192.0.2.1"});
  BOOST_TEST(signed_in.header("set-cookie").ends_with("; Secure"));
}

BOOST_AUTO_TEST_CASE(a_forwarded_address_is_not_believed_from_just_anybody) {
  site site{{.registration_limit = 1}};
  BOOST_TEST(site.post("/api/register", alice, {"X-Forwarded-For: 192.0.2.1"}).status == 201);
  auto bob = R"({"email":"bob@example.org","password":"correct horse"})";
  BOOST_TEST(site.post("/api/register", bob, {"X-Forwarded-For: 192.0.2.2"}).status == 429);
}

BOOST_AUTO_TEST_CASE(a_registration_whose_append_fails_never_shows) {
  auto script = std::make_shared<microlith::test::journal_script>();
  std::atomic<bool> full{true};
  script->refuses = [&](const microlith::append_request&) -> std::optional<microlith::failure> {
    if (full)
      return microlith::test::disk_is_full();
    return std::nullopt;
  };
  microlith::node_options options;
  options.wrap_journal = microlith::test::scripted(script);
  site site{{.registration_limit = 0}, components(), std::move(options)};
  for (int i = 0; i < 3; ++i) {
    auto refused = site.post("/api/register", alice);
    BOOST_TEST(refused.status == 503);
    BOOST_TEST(refused.body == error("overloaded"));
    BOOST_TEST(refused.header("retry-after") == "1");
  }
  BOOST_TEST(site.post("/api/login", alice).status == 401);
  BOOST_TEST(journaled(site) == 0U);
  auto before = site.node().counted().projection_position;
  BOOST_TEST_REQUIRE(before.contains("auth.users"));
  BOOST_TEST(before["auth.users"] == 0U);
  full = false;
  BOOST_TEST(site.post("/api/register", alice).status == 201);
}

BOOST_AUTO_TEST_CASE(what_has_no_answer_within_the_limit_has_timed_out) {
  BOOST_TEST((gateway_options{}.answer_limit == 5s));
  const http::header cookie{"Cookie", "auth_token=" + make_token()};
  const struct {
    const char* method;
    const char* path;
    std::vector<http::header> headers;
  } requests[]{
      {"POST", "/api/register", {}},       {"POST", "/api/register", {{"Idempotency-Key", "one"}}},
      {"POST", "/api/register", {cookie}}, {"POST", "/api/login", {}},
      {"POST", "/api/logout", {cookie}},   {"GET", "/api/me", {cookie}}};
  for (auto limit : {gateway_options{}.answer_limit, 700ms}) {
    microlith::test::running_node node{silent_components()};
    http::router router{{}};
    std::make_shared<auth::gateway>(
        node.commands(), node.queries(), http_key::make(), [] { return std::string{}; },
        [](const std::function<void()>& run) { run(); }, gateway_options{.answer_limit = limit})
        ->add_routes(router);
    for (const auto& asked : requests) {
      http::request request{.method = asked.method,
                            .target = asked.path,
                            .headers = asked.headers,
                            .body = alice,
                            .peer = http::ip_address::parse("127.0.0.1").value(),
                            .local = http::ip_address::parse("127.0.0.1").value()};
      request.headers.push_back({"Host", "localhost"});
      request.headers.push_back({"Content-Type", "application/json"});
      std::optional<http::reply> reply;
      router(std::move(request),
             http::responder{[&](http::reply said, std::string_view) { reply = std::move(said); }});
      node->advance(limit - 1ms);
      BOOST_TEST(!reply.has_value(), asked.path);
      node->advance(1ms);
      BOOST_TEST_REQUIRE(reply.has_value(), asked.path);
      BOOST_TEST(reply->status == 504, asked.path);
      BOOST_TEST(reply->body == error("timeout"), asked.path);
    }
    node->advance(1min);
  }
}

BOOST_AUTO_TEST_CASE(a_second_sign_out_is_not_said_to_be_done_before_the_rows_say_so) {
  // The first one is done already, and its answer was lost.
  microlith::component commands{"auth.commands"};
  commands.serves<logout_command>([](const logout_command&, microlith::context&) {});
  std::atomic<bool> lags{true};
  microlith::component queries{"auth.queries"};
  queries.answers<current_user_request>([&](const current_user_request&) {
    return lags ? current_user_response{signed_in_user{.email = "alice@example.org"}}
                : current_user_response{};
  });
  site site{{}, {commands, queries}};
  const std::string cookie = "Cookie: auth_token=" + make_token();
  auto early = site.post("/api/logout", {}, {cookie});
  BOOST_TEST(early.status == 503);
  BOOST_TEST(!early.header("retry-after").empty());
  lags = false;
  BOOST_TEST(site.post("/api/logout", {}, {cookie}).status == 204);
}

BOOST_AUTO_TEST_CASE(where_nobody_serves_it_is_unavailable_at_once) {
  site site{{.registration_limit = 0}, {queries_component()}};
  auto response = site.post("/api/register", alice);
  BOOST_TEST(response.status == 503);
  BOOST_TEST(response.body == error("unavailable"));
  BOOST_TEST(!response.header("retry-after").empty());
}

BOOST_AUTO_TEST_CASE(too_much_work_is_refused_and_told_when_to_try_again) {
  microlith::node_options options;
  options.max_commands_in_flight = 1;
  options.max_prepare_queue = 1;
  options.prepare_workers = 1;
  site site{{.registration_limit = 0}, components(), std::move(options)};
  std::atomic<int> done{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) {
    all.emplace_back([&, i] {
      for (int j = 0; j < 20; ++j) {
        auto response =
            site.post("/api/register", R"({"email":"user)" + std::to_string(20 * i + j) +
                                           R"(@example.org","password":"correct horse"})");
        if (response.status == 201)
          ++done;
        else if (response.status == 503 && response.header("retry-after") == "1")
          ++refused;
      }
    });
  }
  for (auto& each : all)
    each.join();
  BOOST_TEST(done + refused == 160);
  BOOST_TEST(done > 0);
  BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_SUITE_END()
