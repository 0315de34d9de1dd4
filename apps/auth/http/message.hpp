#pragma once

// An HTTP request that was read completely, the reply to it, and the way to send the reply.
//
// Plain values, free of the HTTP library. A responder may be called from any thread.

#include "auth/http/ip_address.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace auth::http {

struct header {
  std::string name;
  std::string value;
};

struct request {
  std::string method{};
  std::string target{};  ///< as sent: "/path?query", or an absolute URI
  bool is_http_1_0 = false;
  std::vector<header> headers{};
  std::string body{};
  ip_address peer{};   ///< who has connected
  ip_address local{};  ///< the address of ours that they have connected to

  /// How often a header is given; names are compared without case.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// All values of a header, joined by ", ".
  [[nodiscard]] std::string value(std::string_view name) const;
};

struct reply {
  int status = 200;
  std::string body{};
  std::string_view content_type = "application/json";
  std::vector<header> headers{};
};

/// `{"error": code}`; codes are words of ours, never input.
[[nodiscard]] reply error_reply(int status, std::string_view code);

/// The same, with a Retry-After header.
[[nodiscard]] reply error_reply(int status, std::string_view code,
                                std::chrono::seconds retry_after);

/// Sends the one reply to a request. Whoever lets go of all copies unused has answered 500.
class responder {
 public:
  /// `route` names what was asked for in metrics.
  using sink = std::function<void(reply reply, std::string_view route)>;

  explicit responder(sink sink);

  /// A name from a fixed set, outliving the responder.
  void name_route(std::string_view route) const { state_->route = route; }

  /// The first call counts.
  void operator()(reply reply) const { state_->send(std::move(reply)); }

 private:
  struct state {
    explicit state(sink s) : send_to{std::move(s)} {}
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    ~state();
    void send(reply reply);

    sink send_to;
    std::string_view route = "none";
    std::atomic<bool> done{false};
  };

  std::shared_ptr<state> state_;
};

using handler = std::function<void(request, responder)>;

}  // namespace auth::http
