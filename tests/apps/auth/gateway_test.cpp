// What clients are told who register, sign in, and come back.

#include "apps/auth/site.hpp"
#include "auth/idempotency.hpp"
#include "support/scripted_journal.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace auth;
using namespace auth::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(gateway)

BOOST_AUTO_TEST_CASE(a_user_registers_signs_in_is_known_and_signs_out) {
  site site;
  auto registered = site.post("/api/register", alice);
  BOOST_TEST(registered.status == 201);
  BOOST_TEST(registered.body == alice_as_user);
  BOOST_TEST(site.call("GET", "/api/me").status == 401);

  auto signed_in = site.post("/api/login", alice);
  BOOST_TEST(signed_in.status == 200);
  BOOST_TEST(signed_in.body == alice_as_user);
  auto set = signed_in.header("set-cookie");
  BOOST_TEST(set.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"));

  auto cookie = site::cookie_of(signed_in);
  auto me = site.call("GET", "/api/me", {}, {cookie});
  BOOST_TEST(me.status == 200);
  BOOST_TEST(me.body == alice_as_user);
  BOOST_TEST(me.header("session-max-age") == "600");
  BOOST_TEST(me.header("cache-control") == "no-store");
  // Signed in within this minute: there is nothing to extend.
  BOOST_TEST(me.header("set-cookie").empty());

  auto signed_out = site.post("/api/logout", {}, {cookie});
  BOOST_TEST(signed_out.status == 204);
  BOOST_TEST(signed_out.header("set-cookie").find("auth_token=; Path=/; Max-Age=0") == 0U);
  auto gone = site.call("GET", "/api/me", {}, {cookie});
  BOOST_TEST(gone.status == 401);
  BOOST_TEST(gone.body == error("not_logged_in"));
}

BOOST_AUTO_TEST_CASE(a_sign_in_is_seen_and_a_sign_out_is_seen_by_the_very_next_request) {
  site site;
  site.post("/api/register", alice);
  for (int i = 0; i < 50; ++i) {
    auto cookie = site.sign_in();
    BOOST_TEST_REQUIRE(site.call("GET", "/api/me", {}, {cookie}).status == 200);
    BOOST_TEST_REQUIRE(site.post("/api/logout", {}, {cookie}).status == 204);
    BOOST_TEST_REQUIRE(site.call("GET", "/api/me", {}, {cookie}).status == 401);
  }
}

BOOST_AUTO_TEST_CASE(an_email_is_taken_in_all_its_spellings) {
  site site;
  site.post("/api/register", alice);
  auto again =
      site.post("/api/register", R"({"email":" ALICE@example.org ","password":"another horse"})");
  BOOST_TEST(again.status == 409);
  BOOST_TEST(again.body == error("user_already_exists"));
}

BOOST_AUTO_TEST_CASE(of_many_who_register_one_email_at_once_one_wins) {
  site site;
  std::atomic<int> won{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) {
    all.emplace_back([&] {
      for (int j = 0; j < 5; ++j) {
        auto status = site.post("/api/register", alice).status;
        (status == 201 ? won : lost) += status == 201 || status == 409 ? 1 : 0;
      }
    });
  }
  for (auto& each : all)
    each.join();
  BOOST_TEST(won == 1);
  BOOST_TEST(lost == 39);
  BOOST_TEST(journaled(site) == 1U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_registered_is_told_apart) {
  site site;
  auto refused = [&](const std::string& body) {
    auto response = site.post("/api/register", body);
    BOOST_TEST(response.status == 400, body);
    return response.body;
  };
  BOOST_TEST(refused(R"({"email":"alice","password":"correct horse"})") == error("invalid_email"));
  BOOST_TEST(refused(R"({"email":"a@b.c","password":"1234567"})") == error("weak_password"));
  BOOST_TEST(refused(R"({"email":"a@b.c","password":")" + std::string(1'025, 'x') + "\"}") ==
             error("password_too_long"));
  BOOST_TEST(refused(R"({"email":"a@b.c","password":"12345678","role":"root"})") ==
             error("invalid_role"));
  BOOST_TEST(refused(R"({"email":"a@b.c","password":"12345678","role":1})") ==
             error("invalid_role"));
  for (const auto* body : {"", "{}", "{", "[]", R"({"email":"a@b.c"})",
                           R"({"password":"12345678"})", R"({"email":1,"password":"12345678"})",
                           R"({"email":"a@b.c","email":"b@b.c","password":"12345678"})"})
    BOOST_TEST(refused(body) == error("malformed_json"), body);
  BOOST_TEST(journaled(site) == 0U);
}

BOOST_AUTO_TEST_CASE(an_unknown_user_and_a_wrong_password_look_the_same) {
  site site;
  site.post("/api/register", alice);
  auto wrong = site.post("/api/login", R"({"email":"alice@example.org","password":"wrong horse"})");
  auto unknown = site.post("/api/login", R"({"email":"bob@example.org","password":"wrong horse"})");
  for (const auto& response : {wrong, unknown}) {
    BOOST_TEST(response.status == 401);
    BOOST_TEST(response.body == error("invalid_credentials"));
    BOOST_TEST(response.header("set-cookie").empty());
  }
  auto without_date = [](http_response response) {
    response.headers.erase("date");
    return response.headers;
  };
  BOOST_TEST((without_date(wrong) == without_date(unknown)));
}

BOOST_AUTO_TEST_CASE(a_registration_is_repeated_under_its_key_as_often_as_need_be) {
  site site;
  for (int i = 0; i < 3; ++i) {
    auto registered = site.post("/api/register", alice, {"Idempotency-Key: once"});
    BOOST_TEST(registered.status == 201);
    BOOST_TEST(registered.body == alice_as_user);
  }
  // The claim of the key, and the user.
  BOOST_TEST(journaled(site) == 2U);
  BOOST_TEST(site.post("/api/register", alice, {"Idempotency-Key: another"}).status == 409);
  BOOST_TEST(site.post("/api/register", alice).status == 409);
}

BOOST_AUTO_TEST_CASE(of_many_repetitions_at_once_each_is_told_of_the_one_registration) {
  site site;
  std::atomic<int> told{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) {
    all.emplace_back([&] {
      for (int j = 0; j < 5; ++j) {
        auto response = site.post("/api/register", alice, {"Idempotency-Key: once"});
        told += response.status == 201 && response.body == alice_as_user ? 1 : 0;
      }
    });
  }
  for (auto& each : all)
    each.join();
  BOOST_TEST(told == 40);
  BOOST_TEST(journaled(site) == 2U);
}

BOOST_AUTO_TEST_CASE(a_key_stands_for_one_body) {
  site site;
  site.post("/api/register", alice, {"Idempotency-Key: once"});
  for (const auto* other : {R"({"email":"bob@example.org","password":"correct horse"})",
                            R"({"email":"alice@example.org","password":"another horse"})",
                            R"({"email":"alice@example.org","password":"correct horse"} )"}) {
    auto refused = site.post("/api/register", other, {"Idempotency-Key: once"});
    BOOST_TEST(refused.status == 422, other);
    BOOST_TEST(refused.body == error("idempotency_key_reused"));
  }
  BOOST_TEST(journaled(site) == 2U);
}

BOOST_AUTO_TEST_CASE(a_key_is_claimed_for_its_route_alone) {
  site site;
  BOOST_TEST(site.post("/api/register", alice, {"Idempotency-Key: once"}).status == 201);
  std::vector<std::string> claimed;
  auto read = site.node()->journal().read(1, {}, [&](const microlith::record_view& record) {
    if (record.type->name == "auth.idempotency_key_claimed_event")
      claimed.push_back(std::string{record.stream});
    return true;
  });
  BOOST_REQUIRE(read.has_value());
  BOOST_REQUIRE(claimed.size() == 1U);
  BOOST_TEST(claimed.front() ==
             "auth.idempotency_key/" +
                 idempotency_scope(site.key(), "POST /api/register", "", "once"));
}

BOOST_AUTO_TEST_CASE(whoever_has_signed_in_has_keys_of_their_own) {
  site site;
  site.post("/api/register", alice, {"Idempotency-Key: once"});
  auto cookie = site.sign_in();
  auto bob = R"({"email":"bob@example.org","password":"correct horse"})";
  BOOST_TEST(site.post("/api/register", bob, {cookie, "Idempotency-Key: once"}).status == 201);
  BOOST_TEST(site.post("/api/register", bob, {cookie, "Idempotency-Key: once"}).status == 201);
  BOOST_TEST(site.post("/api/register", alice, {cookie, "Idempotency-Key: once"}).status == 422);
}

BOOST_AUTO_TEST_CASE(a_key_is_one_word_of_at_most_255_visible_ascii_characters) {
  site site;
  for (const auto& key : {std::string{}, std::string{"two words"}, std::string{"caf\xC3\xA9"},
                          std::string(256, 'x'), std::string{"once\r\nIdempotency-Key: twice"}}) {
    auto refused = site.post("/api/register", alice, {"Idempotency-Key: " + key});
    BOOST_TEST(refused.status == 400, key);
    BOOST_TEST(refused.body == error("invalid_idempotency_key"));
  }
  BOOST_TEST(journaled(site) == 0U);
  auto longest = "idempotency-key: " + std::string(255, '~');
  BOOST_TEST(site.post("/api/register", alice, {longest}).status == 201);
}

BOOST_AUTO_TEST_CASE(what_was_not_registered_is_decided_again_under_its_key) {
  auto script = std::make_shared<microlith::test::journal_script>();
  std::atomic<bool> full{true};
  script->refuses =
      [&](const microlith::append_request& request) -> std::optional<microlith::failure> {
    if (full && !request.events.empty() &&
        request.events.front().message.get_if<user_registered_event>() != nullptr)
      return microlith::test::disk_is_full();
    return std::nullopt;
  };
  microlith::node_options options;
  options.wrap_journal = microlith::test::scripted(script);
  site site{{.registration_limit = 0}, components(), std::move(options)};
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(site.post("/api/register", alice, {"Idempotency-Key: once"}).status == 503);
  full = false;
  BOOST_TEST(site.post("/api/register", alice, {"Idempotency-Key: once"}).status == 201);
  // A rejection stays one for as long as its reason does.
  for (int i = 0; i < 2; ++i) {
    auto refused = site.post("/api/register", alice, {"Idempotency-Key: late"});
    BOOST_TEST(refused.status == 409);
    BOOST_TEST(refused.body == error("user_already_exists"));
  }
  BOOST_TEST(journaled(site) == 3U);
}

BOOST_AUTO_TEST_CASE(a_sign_in_checks_the_password_whatever_its_key) {
  site site;
  site.post("/api/register", alice, {"Idempotency-Key: once"});
  auto first = site.post("/api/login", alice, {"Idempotency-Key: once"});
  BOOST_TEST(first.status == 200);
  auto wrong = R"({"email":"alice@example.org","password":"wrong horse"})";
  BOOST_TEST(site.post("/api/login", wrong, {"Idempotency-Key: once"}).status == 401);
  auto second = site.post("/api/login", alice, {"Idempotency-Key: once"});
  BOOST_TEST(second.status == 200);
  BOOST_TEST(site::cookie_of(first) != site::cookie_of(second));
  // One claim, one user, two sign-ins.
  BOOST_TEST(journaled(site) == 4U);
}

BOOST_AUTO_TEST_CASE(only_an_admin_makes_an_admin) {
  site site;
  const std::string bob =
      R"({"email":"bob@example.org","password":"correct horse","role":"admin"})";
  auto by_nobody = site.post("/api/register", bob);
  BOOST_TEST(by_nobody.status == 403);
  BOOST_TEST(by_nobody.body == error("forbidden"));

  site.post("/api/register", alice);
  BOOST_TEST(site.post("/api/register", bob, {site.sign_in()}).status == 403);

  auto root =
      microlith::correlated(register_command{"root@example.org", "correct horse", role::admin},
                            microlith::principal{.subject = "test", .roles = {"admin"}});
  auto made = site.node().commands().dispatch_and_wait<user_registered_event>(std::move(root));
  BOOST_TEST_REQUIRE(!made.failed());
  auto by_admin =
      site.post("/api/register", bob,
                {site.sign_in(R"({"email":"root@example.org","password":"correct horse"})")});
  BOOST_TEST(by_admin.status == 201);
  BOOST_TEST(by_admin.body == R"({"email":"bob@example.org","role":"admin"})");
}

BOOST_AUTO_TEST_CASE(every_sign_in_has_a_new_token_and_replaces_the_one_before) {
  site site;
  site.post("/api/register", alice);
  auto first = site.sign_in();
  auto again = site.post("/api/login", alice, {first});
  auto second = site::cookie_of(again);
  BOOST_TEST(first != second);
  BOOST_TEST(site.call("GET", "/api/me", {}, {second}).status == 200);
  microlith::test::eventually(
      [&] { return site.call("GET", "/api/me", {}, {first}).status == 401; },
      "the replaced token is of no use");
}

BOOST_AUTO_TEST_CASE(signing_out_is_fine_for_everybody_and_journals_nothing_for_nobody) {
  site site;
  site.post("/api/register", alice);
  auto before = journaled(site);
  BOOST_TEST(site.post("/api/logout").status == 204);
  BOOST_TEST(site.post("/api/logout", {}, {"Cookie: auth_token=" + make_token()}).status == 204);
  BOOST_TEST(site.post("/api/logout", {}, {"Cookie: auth_token=nonsense"}).status == 204);
  BOOST_TEST(journaled(site) == before);
}

BOOST_AUTO_TEST_CASE(a_sign_in_slides_while_its_user_is_there_and_once_a_minute) {
  site site;
  site.post("/api/register", alice);
  auto cookie = site.sign_in_at(now() + 5min, now() + 6h);
  auto before = journaled(site);
  auto me = site.call("GET", "/api/me", {}, {cookie});
  BOOST_TEST(me.status == 200);
  BOOST_TEST(me.header("set-cookie").find(cookie.substr(8) + "; Path=/; Max-Age=600") == 0U);
  BOOST_TEST(me.header("session-max-age") == "600");
  microlith::test::eventually(
      [&] { return site.call("GET", "/api/me", {}, {cookie}).header("set-cookie").empty(); },
      "the extension is seen");
  for (int i = 0; i < 10; ++i)
    site.call("GET", "/api/me", {}, {cookie});
  BOOST_TEST(journaled(site) == before + 1);
}

BOOST_AUTO_TEST_CASE(a_sign_in_that_ran_out_is_over) {
  site site;
  site.post("/api/register", alice);
  auto cookie = site.sign_in_at(now() - 1s, now() + 6h);
  auto me = site.call("GET", "/api/me", {}, {cookie});
  BOOST_TEST(me.status == 401);
  BOOST_TEST(me.header("set-cookie").find("Max-Age=0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_slides_past_the_end_of_all) {
  site site;
  site.post("/api/register", alice);
  auto cookie = site.sign_in_at(now() + 1min, now() + 3min);
  auto age = site.call("GET", "/api/me", {}, {cookie}).header("session-max-age");
  BOOST_TEST(std::stoi(age) <= 180);
  BOOST_TEST(std::stoi(age) > 60);
}

BOOST_AUTO_TEST_CASE(metrics_are_for_this_machine_unless_they_are_public) {
  site here;
  BOOST_TEST(here.call("GET", "/metrics").body == "metrics");
  BOOST_TEST(here.call("GET", "/metrics", {}, {"X-Forwarded-For: 192.0.2.1"}).status == 403);
  auto proxy = http::ip_address::parse("127.0.0.1").value();
  site proxied{{.trusted_proxies = {proxy}}};
  BOOST_TEST(proxied.call("GET", "/metrics", {}, {"X-Forwarded-For: 192.0.2.1"}).status == 403);
  site open{{.trusted_proxies = {proxy}, .public_metrics = true}};
  BOOST_TEST(open.call("GET", "/metrics", {}, {"X-Forwarded-For: 192.0.2.1"}).status == 200);
}

BOOST_AUTO_TEST_CASE(the_page_and_its_files_are_served) {
  site site;
  for (const auto& [path, type] : {std::pair{"/", "text/html; charset=utf-8"},
                                   {"/style.css", "text/css; charset=utf-8"},
                                   {"/page.js", "text/javascript; charset=utf-8"},
                                   {"/icon.svg", "image/svg+xml"}}) {
    auto response = site.call("GET", path);
    BOOST_TEST(response.status == 200, path);
    BOOST_TEST(response.header("content-type") == type);
    BOOST_TEST(!response.body.empty());
    BOOST_TEST(site.call("HEAD", path).header("content-length") ==
               std::to_string(response.body.size()));
  }
  BOOST_TEST(site.call("GET", "/healthz").body == R"({"status":"ok"})");
}

BOOST_AUTO_TEST_SUITE_END()
