#pragma once

// HTTP on one side, buses on the other: what the routes do.
//
// Knows the buses and nothing behind them. Handlers run on the server's thread and never block;
// answers of the buses come back to that thread through the executor. The gateway lives until its
// last request is answered: it is held by shared pointers.

#include "auth/attempt_limits.hpp"
#include "auth/http/message.hpp"
#include "auth/http/router.hpp"
#include "auth/http_key.hpp"
#include "auth/messages.hpp"

#include <microlith/actors/command_bus.hpp>
#include <microlith/actors/query_bus.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace auth {

inline constexpr std::string_view token_cookie = "auth_token";
inline constexpr std::string_view idempotency_header = "Idempotency-Key";

struct gateway_options {
  std::vector<http::ip_address> trusted_proxies{};  ///< any: the cookie is for TLS only
  std::size_t registration_limit = 30;              ///< per minute and address; 0: none
  bool public_metrics = false;
  std::chrono::milliseconds answer_limit{5'000};  ///< for each wait of a request; then 504
};

class gateway : public std::enable_shared_from_this<gateway> {
 public:
  /// Runs a function on the server's thread.
  using executor = std::function<void(std::function<void()>)>;

  gateway(microlith::command_bus commands, microlith::query_bus queries, http_key key,
          std::function<std::string()> metrics, executor executor, gateway_options options);

  void add_routes(http::router& router);
  /// /metrics and /healthz alone: what a node without the gateway serves.
  void add_status_routes(http::router& router);

 private:
  using on_user = std::function<void(std::optional<signed_in_user>)>;

  void register_user(http::request request, http::responder respond);
  void login(http::request request, http::responder respond);
  void logout(http::request request, http::responder respond);
  void me(http::request request, http::responder respond);
  void show_metrics(http::request request, http::responder respond);

  /// What a request with an Idempotency-Key is known by.
  struct repeatable {
    std::string key;
    std::string body_hash;
  };

  void dispatch_registration(microlith::correlated_message<register_command> command,
                             http::responder respond);
  /// The same under the ids that the key stands for.
  void dispatch_repeatable(microlith::correlated_message<register_command> command,
                           const repeatable& request, http::responder respond);
  void logged_in(const user_logged_in_event& event, std::uint64_t position, std::string token,
                 http::responder respond);

  /// Who has signed in with the token of this hash, as of a journal position. Answers the request
  /// itself if that cannot be told.
  void find_user(const std::string& sid, std::uint64_t after, http::responder respond,
                 on_user then);

  [[nodiscard]] http::ip_address client_of(const http::request& request) const;
  [[nodiscard]] http::header cookie(std::string_view token, std::chrono::seconds max_age) const;

  /// A callback for the buses that goes on with `then` on the server's thread.
  template <class Then>
  [[nodiscard]] auto resume(Then then) const;

  microlith::command_bus commands_;
  microlith::query_bus queries_;
  http_key key_;
  std::function<std::string()> metrics_;
  executor executor_;
  gateway_options options_;
  attempt_limits limits_;
};

}  // namespace auth
