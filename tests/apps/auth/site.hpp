#pragma once

// HTTP in front, a node behind: the sample without its process.

#include "auth/components.hpp"
#include "auth/gateway.hpp"
#include "auth/http/server.hpp"
#include "auth/password.hpp"
#include "auth/token.hpp"
#include "support/http_client.hpp"
#include "support/node.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/actors/node.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace auth::test {

using microlith::test::http_client;
using microlith::test::http_response;
using namespace std::chrono_literals;

inline const std::string alice = R"({"email":"alice@example.org","password":"correct horse"})";
inline const std::string alice_as_user = R"({"email":"alice@example.org","role":"user"})";

inline std::string error(const std::string& code) {
  return "{\"error\":\"" + code + "\"}";
}

/// Everything but the process.
class site {
 public:
  explicit site(gateway_options options = {.registration_limit = 0},
                std::vector<microlith::component> hosted = components(),
                microlith::node_options node_options = {})
      : node_{std::move(hosted), with_data(std::move(node_options))} {
    auto opened = http::server::open({.address = http::ip_address::parse("127.0.0.1").value()});
    server_ = std::move(*opened);
    http::router router{{}};
    std::make_shared<gateway>(
        node_.commands(), node_.queries(), key_, [] { return std::string{"metrics"}; },
        server_->executor(), std::move(options))
        ->add_routes(router);
    server_->start(router);
  }

  ~site() {
    server_->drain(60s);
    server_->stop();
  }

  http_response call(std::string_view method, std::string_view path, std::string_view body = {},
                     const std::vector<std::string>& headers = {}) {
    return http_client{server_->port()}.call(method, path, body, headers);
  }

  http_response post(const std::string& path, const std::string& body = {},
                     const std::vector<std::string>& headers = {}) {
    return call("POST", path, body, headers);
  }

  /// The Cookie header of somebody who has registered and signed in.
  std::string sign_in(const std::string& body = alice) {
    auto response = post("/api/login", body);
    BOOST_TEST_REQUIRE(response.status == 200, response.body);
    return cookie_of(response);
  }

  static std::string cookie_of(const http_response& response) {
    auto set = response.header("set-cookie");
    return "Cookie: " + set.substr(0, set.find(';'));
  }

  /// A sign-in of another time, with its token.
  std::string sign_in_at(microlith::wall_time expires_at, microlith::wall_time ends_at) {
    auto token = make_token();
    auto outcome = node_.events().dispatch_and_wait<microlith::accepted>(
        user_logged_in_event{.email = "alice@example.org",
                             .role = role::user,
                             .sid = sid_of(token),
                             .expires_at = expires_at,
                             .ends_at = ends_at});
    BOOST_TEST_REQUIRE(!outcome.failed());
    auto seen =
        node_.queries().ask(current_user_request{sid_of(token)}, {.after = outcome.position});
    BOOST_TEST_REQUIRE(!seen.failed());
    return "Cookie: auth_token=" + token;
  }

  microlith::test::running_node& node() { return node_; }
  /// Under which the gateway hashes.
  [[nodiscard]] const http_key& key() const { return key_; }

 private:
  microlith::node_options with_data(microlith::node_options options) {
    set_password_cost(password_cost::minimum);
    options.data = data_.path();
    options.threads = 2;
    return options;
  }

  http_key key_ = http_key::make();
  microlith::test::temporary_directory data_;
  microlith::test::running_node node_;
  std::unique_ptr<http::server> server_;
};

inline microlith::wall_time now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

inline std::uint64_t journaled(site& at) {
  return at.node().counted().journal_position;
}

}  // namespace auth::test
