#include "auth/http/router.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

namespace http = auth::http;

namespace {

http::router routes(http::own_names names = {}) {
  http::router router{std::move(names)};
  router.add("GET", "/", [](const http::request&, const http::responder& respond) {
    respond({.body = "page"});
  });
  router.add("GET", "/both", [](const http::request&, const http::responder& respond) {
    respond({.body = "got"});
  });
  router.add("POST", "/both", [](const http::request& request, const http::responder& respond) {
    respond({.status = 201, .body = request.body});
  });
  return router;
}

struct answered {
  http::reply reply;
  std::string route;
};

answered ask(const http::router& router, http::request request) {
  std::optional<answered> answer;
  request.local = http::ip_address::parse("192.0.2.1").value();
  router(std::move(request), http::responder{[&](http::reply reply, std::string_view route) {
           answer.emplace(std::move(reply), std::string{route});
         }});
  return answer.value();
}

http::request get(std::string target, std::string method = "GET") {
  return {
      .method = std::move(method), .target = std::move(target), .headers = {{"Host", "localhost"}}};
}

http::request post(std::string body, std::vector<http::header> headers = {}) {
  http::request request{
      .method = "POST",
      .target = "/both",
      .headers = {{"Host", "localhost:8080"}, {"Content-Type", "application/json"}},
      .body = std::move(body)};
  for (auto& header : headers)
    request.headers.push_back(std::move(header));
  return request;
}

std::string header(const http::reply& reply, std::string_view name) {
  for (const auto& header : reply.headers) {
    if (header.name == name)
      return header.value;
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(router)

BOOST_AUTO_TEST_CASE(a_request_reaches_the_handler_of_its_path_and_method) {
  auto router = routes();
  BOOST_TEST(ask(router, get("/")).reply.body == "page");
  BOOST_TEST(ask(router, get("/?query")).reply.body == "page");
  BOOST_TEST(ask(router, get("/both")).reply.body == "got");
  BOOST_TEST(ask(router, get("/both", "HEAD")).reply.body == "got");
  BOOST_TEST(ask(router, post("{}")).reply.status == 201);
  BOOST_TEST(ask(router, post("{}")).route == "/both");
}

BOOST_AUTO_TEST_CASE(an_unknown_path_is_not_found_and_has_no_route_of_its_own) {
  for (const auto* target : {"/other", "/both/", "//", "/Both", "both", "*", "", "/%62oth"}) {
    auto answer = ask(routes(), get(target));
    BOOST_TEST(answer.reply.status == 404, target);
    BOOST_TEST(answer.reply.body == R"({"error":"not_found"})");
    BOOST_TEST(answer.route == "none");
  }
}

BOOST_AUTO_TEST_CASE(another_method_is_told_which_are_allowed) {
  auto answer = ask(routes(), get("/both", "DELETE"));
  BOOST_TEST(answer.reply.status == 405);
  BOOST_TEST(header(answer.reply, "Allow") == "GET, HEAD, POST");
  BOOST_TEST(header(ask(routes(), get("/", "POST")).reply, "Allow") == "GET, HEAD");
}

BOOST_AUTO_TEST_CASE(requests_for_another_site_are_misdirected) {
  for (const auto* host :
       {"evil.org", "evil.org:8080", "localhost.evil.org", "192.0.2.2", "a b", "", ":8080"}) {
    for (bool is_http_1_0 : {false, true}) {
      auto request = get("/");
      request.is_http_1_0 = is_http_1_0;
      request.headers = {{"host", host}};
      BOOST_TEST(ask(routes(), request).reply.status == 421, host);
    }
  }
  auto request = get("/");
  request.headers = {{"host", "auth.example.org"}};
  BOOST_TEST(ask(routes({.hosts = {"auth.example.org"}}), request).reply.status == 200);
  request.headers = {{"host", "192.0.2.1:80"}};
  BOOST_TEST(ask(routes(), request).reply.status == 200);
}

BOOST_AUTO_TEST_CASE(an_absolute_target_overrides_the_host) {
  BOOST_TEST(ask(routes(), get("http://localhost/both?x")).reply.body == "got");
  BOOST_TEST(ask(routes(), get("http://localhost")).reply.body == "page");
  BOOST_TEST(ask(routes(), get("http://evil.org/both")).reply.status == 421);
}

BOOST_AUTO_TEST_CASE(one_host_header_is_required_but_for_http_1_0) {
  auto request = get("/");
  request.headers = {};
  BOOST_TEST(ask(routes(), request).reply.status == 400);
  request.is_http_1_0 = true;
  BOOST_TEST(ask(routes(), request).reply.status == 200);
  request.headers = {{"Host", "localhost"}, {"host", "localhost"}};
  BOOST_TEST(ask(routes(), request).reply.status == 400);
}

BOOST_AUTO_TEST_CASE(pages_of_other_sites_cannot_post) {
  BOOST_TEST(ask(routes(), post("{}", {{"Origin", "http://localhost:8080"}})).reply.status == 201);
  for (const auto* origin : {"http://evil.org", "null", "http://localhost:9090", ""}) {
    auto answer = ask(routes(), post("{}", {{"Origin", origin}}));
    BOOST_TEST(answer.reply.status == 403, origin);
    BOOST_TEST(answer.reply.body == R"({"error":"foreign_origin"})");
  }
}

BOOST_AUTO_TEST_CASE(a_body_must_be_json) {
  auto with_type = [](std::vector<http::header> type, std::string body) {
    http::request request{
        .method = "POST", .target = "/both", .headers = std::move(type), .body = std::move(body)};
    request.headers.push_back({"Host", "localhost"});
    return ask(routes(), std::move(request)).reply.status;
  };
  BOOST_TEST(with_type({{"content-type", "application/json"}}, "{}") == 201);
  BOOST_TEST(with_type({{"content-type", "Application/JSON; charset=utf-8"}}, "{}") == 201);
  BOOST_TEST(with_type({{"content-type", "text/plain"}}, "{}") == 415);
  BOOST_TEST(with_type({{"content-type", "application/json-patch"}}, "{}") == 415);
  BOOST_TEST(with_type({{"content-type", "application/x-www-form-urlencoded"}}, "a=b") == 415);
  BOOST_TEST(with_type({}, "{}") == 415);
  BOOST_TEST(with_type({}, "") == 201);
}

BOOST_AUTO_TEST_SUITE_END()
