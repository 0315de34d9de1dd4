#include "auth/gateway.hpp"

#include "auth/email.hpp"
#include "auth/http/client_address.hpp"
#include "auth/http/cookie.hpp"
#include "auth/idempotency.hpp"
#include "auth/json_object.hpp"
#include "auth/page.hpp"
#include "auth/password.hpp"
#include "auth/session.hpp"
#include "auth/token.hpp"

#include <microlith/messages/describe.hpp>

#include <sodium.h>
#include <spdlog/spdlog.h>

namespace auth {

namespace {

using namespace std::chrono_literals;
using microlith::accepted;
using microlith::answer;
using microlith::failure;
using microlith::failure_kind;

constexpr std::chrono::seconds retry_when_overloaded = 1s;
constexpr std::chrono::seconds retry_when_unavailable = 5s;

// Everything that a page of ours may do, and nothing else.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

microlith::wall_time wall_now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

http::reply user_reply(int status, const std::string& email, role role) {
  // A valid e-mail has no character that JSON would escape.
  return {.status = status,
          .body = "{\"email\":\"" + email + "\",\"role\":\"" + std::string{to_string(role)} + "\"}",
          .headers = {{"Cache-Control", "no-store"}}};
}

http::reply failure_reply(const failure& why) {
  switch (why.kind) {
    case failure_kind::timeout:
      return http::error_reply(504, "timeout");
    case failure_kind::overloaded:
      return http::error_reply(503, "overloaded", retry_when_overloaded);
    case failure_kind::no_handler:
    case failure_kind::unreachable:
    case failure_kind::stopped:
      return http::error_reply(503, "unavailable", retry_when_unavailable);
    case failure_kind::handler_failed:
    case failure_kind::conflict:
    case failure_kind::forgotten:
      break;
  }
  return http::error_reply(500, "internal_error");
}

void fail(const http::responder& respond, const failure& why) {
  // Being overloaded is counted in the metrics; a line for each would add to the load.
  if (why.kind != failure_kind::overloaded)
    spdlog::warn("a request failed: {}", microlith::to_string(why));
  respond(failure_reply(why));
}

int status_of(register_error error) {
  switch (error) {
    case register_error::forbidden:
      return 403;
    case register_error::user_already_exists:
      return 409;
    case register_error::invalid_email:
    case register_error::weak_password:
    case register_error::password_too_long:
      break;
  }
  return 400;
}

http::reply refusal(register_error error) {
  return http::error_reply(status_of(error), microlith::enumerator_name(error));
}

http::reply too_many_attempts(std::chrono::seconds retry_after) {
  return http::error_reply(429, "too_many_attempts", retry_after);
}

struct credentials {
  std::string email;
  microlith::secret<std::string> password;
  json_object all;
};

std::optional<credentials> read_credentials(http::request& request) {
  auto object = parse_json_object(request.body);
  sodium_memzero(request.body.data(), request.body.size());
  if (!object)
    return std::nullopt;
  auto text = [&](std::string_view name) -> std::optional<std::string> {
    auto found = object->find(name);
    return found == object->end() ? std::nullopt : std::exchange(found->second, std::nullopt);
  };
  auto email = text("email");
  auto password = text("password");
  if (!email || !password)
    return std::nullopt;
  return credentials{fold_email(*email), std::move(*password), std::move(*object)};
}

std::optional<std::string> sid_of_request(const http::request& request) {
  auto cookies = request.value("Cookie");
  auto token = http::find_cookie(cookies, token_cookie);
  if (!is_token(token))
    return std::nullopt;
  return sid_of(token);
}

microlith::principal principal_of(const signed_in_user& user) {
  return {.subject = user.email, .roles = {std::string{to_string(user.role)}}};
}

std::chrono::seconds time_left(microlith::wall_time until) {
  return std::max(std::chrono::ceil<std::chrono::seconds>(until - wall_now()), 0s);
}

}  // namespace

gateway::gateway(microlith::command_bus commands, microlith::query_bus queries, http_key key,
                 std::function<std::string()> metrics, executor executor, gateway_options options)
    : commands_{std::move(commands)},
      queries_{std::move(queries)},
      key_{key},
      metrics_{std::move(metrics)},
      executor_{std::move(executor)},
      options_{std::move(options)},
      limits_{options_.registration_limit} {}

void gateway::add_routes(http::router& router) {
  auto to = [this](auto member) {
    return [self = shared_from_this(), member](http::request request, http::responder respond) {
      (*self.*member)(std::move(request), std::move(respond));
    };
  };
  router.add("POST", "/api/register", to(&gateway::register_user));
  router.add("POST", "/api/login", to(&gateway::login));
  router.add("POST", "/api/logout", to(&gateway::logout));
  router.add("GET", "/api/me", to(&gateway::me));
  add_status_routes(router);
  for (const auto& file : page_files()) {
    router.add("GET", file.path, [&file](const http::request&, const http::responder& respond) {
      respond({.body = std::string{file.content},
               .content_type = file.content_type,
               .headers = {{"Cache-Control", "no-cache"},
                           {"Content-Security-Policy", std::string{content_security_policy}}}});
    });
  }
}

void gateway::add_status_routes(http::router& router) {
  router.add("GET", "/metrics",
             [self = shared_from_this()](http::request request, http::responder respond) {
               self->show_metrics(std::move(request), std::move(respond));
             });
  router.add("GET", "/healthz", [](const http::request&, const http::responder& respond) {
    respond({.body = R"({"status":"ok"})", .headers = {{"Cache-Control", "no-store"}}});
  });
}

template <class Then>
auto gateway::resume(Then then) const {
  return [executor = executor_, then = std::move(then)](auto answer) {
    executor([then, answer = std::move(answer)]() mutable { then(std::move(answer)); });
  };
}

void gateway::register_user(http::request request, http::responder respond) {
  std::optional<repeatable> keyed;
  if (request.count(idempotency_header) > 0) {
    // Given twice, its values are joined by a space, which no key has.
    auto text = request.value(idempotency_header);
    if (!is_idempotency_key(text))
      return respond(http::error_reply(400, "invalid_idempotency_key"));
    keyed = repeatable{std::move(text), key_.hash({"body", request.body})};
  }
  auto given = read_credentials(request);
  if (!given)
    return respond(http::error_reply(400, "malformed_json"));
  register_command command{.email = std::move(given->email),
                           .password = std::move(given->password)};
  if (!is_valid_email(command.email))
    return respond(refusal(register_error::invalid_email));
  if (auto error = password_error(command.password.reveal()))
    return respond(refusal(*error));
  if (auto wanted = given->all.find("role"); wanted != given->all.end()) {
    auto role =
        wanted->second ? microlith::enumerator_named<auth::role>(*wanted->second) : std::nullopt;
    if (!role)
      return respond(http::error_reply(400, "invalid_role"));
    command.role = *role;
  }
  auto wait = limits_.begin_registration(client_of(request), std::chrono::steady_clock::now());
  if (wait > 0s)
    return respond(too_many_attempts(wait));

  auto dispatch = [self = shared_from_this(), command = std::move(command),
                   keyed = std::move(keyed), respond](microlith::principal who) {
    auto message = microlith::correlated(command, std::move(who));
    if (keyed)
      self->dispatch_repeatable(std::move(message), *keyed, respond);
    else
      self->dispatch_registration(std::move(message), respond);
  };
  auto sid = sid_of_request(request);
  if (!sid)
    return dispatch({});
  find_user(*sid, 0, respond, [dispatch](const std::optional<signed_in_user>& user) {
    dispatch(user ? principal_of(*user) : microlith::principal{});
  });
}

void gateway::dispatch_repeatable(microlith::correlated_message<register_command> command,
                                  const repeatable& request, http::responder respond) {
  using claimed =
      answer<idempotency_key_claimed_event, idempotency_key_known, idempotency_key_reused>;
  commands_.dispatch_and_wait<idempotency_key_claimed_event, idempotency_key_known,
                              idempotency_key_reused>(
      claim_idempotency_key_command{
          .scope_hash =
              idempotency_scope(key_, "POST /api/register", command.principal.subject, request.key),
          .body_hash = request.body_hash,
          .id = command.id,
          .correlation = command.correlation},
      options_.answer_limit,
      resume([self = shared_from_this(), command, respond](const claimed& outcome) {
        microlith::match(
            outcome,
            [&](const idempotency_key_claimed_event&) {
              self->dispatch_registration(command, respond);
            },
            [&](const idempotency_key_known& first) {
              auto again = command;
              again.id = first.id;
              again.correlation = first.correlation;
              self->dispatch_registration(std::move(again), respond);
            },
            [&](const idempotency_key_reused&) {
              respond(http::error_reply(422, "idempotency_key_reused"));
            },
            [&](const failure& why) { fail(respond, why); });
      }));
}

void gateway::dispatch_registration(microlith::correlated_message<register_command> command,
                                    http::responder respond) {
  using registered = answer<user_registered_event, register_error_raised>;
  commands_.dispatch_and_wait<user_registered_event, register_error_raised>(
      std::move(command), options_.answer_limit, resume([respond](const registered& outcome) {
        microlith::match(
            outcome,
            [&](const user_registered_event& event) {
              respond(user_reply(201, event.email, event.role));
            },
            [&](const register_error_raised& refused) {
              respond(refusal(refused.errors.empty() ? register_error::forbidden
                                                     : refused.errors.front()));
            },
            [&](const failure& why) { fail(respond, why); });
      }));
}

void gateway::login(http::request request, http::responder respond) {
  auto given = read_credentials(request);
  if (!given)
    return respond(http::error_reply(400, "malformed_json"));
  auto admission = limits_.begin_sign_in(given->email.substr(0, email_limit_bytes),
                                         client_of(request), std::chrono::steady_clock::now());
  if (!admission.admitted)
    return respond(too_many_attempts(admission.retry_after));
  // No user can have these: what is answered at once tells nothing about who exists.
  if (!is_valid_email(given->email) || given->password.reveal().size() > password_limit_bytes)
    return respond(http::error_reply(401, "invalid_credentials"));

  auto token = make_token();
  auto replaced = sid_of_request(request);
  using logged = answer<user_logged_in_event, login_error_raised>;
  commands_.dispatch_and_wait<user_logged_in_event, login_error_raised>(
      microlith::correlated(login_command{.email = std::move(given->email),
                                          .password = std::move(given->password),
                                          .sid = sid_of(token)}),
      options_.answer_limit,
      resume([self = shared_from_this(), token, replaced, attempt = *admission.admitted,
              respond](const logged& outcome) {
        microlith::match(
            outcome,
            [&](const user_logged_in_event& event) {
              self->limits_.forgive(attempt);
              // Nobody can use the old token any more: its cookie is about to be replaced.
              if (replaced)
                static_cast<void>(self->commands_.dispatch(logout_command{*replaced}));
              self->logged_in(event, outcome.position, token, respond);
            },
            [&](const login_error_raised&) {
              respond(http::error_reply(401, "invalid_credentials"));
            },
            [&](const failure& why) {
              if (why.certainty == microlith::certainty::not_done)
                self->limits_.forgive(attempt);
              fail(respond, why);
            });
      }));
}

void gateway::logged_in(const user_logged_in_event& event, std::uint64_t position,
                        std::string token, http::responder respond) {
  auto reply = user_reply(200, event.email, event.role);
  reply.headers.push_back(cookie(token, time_left(event.expires_at)));
  find_user(event.sid, position, respond,
            [reply, respond](const std::optional<signed_in_user>&) { respond(reply); });
}

void gateway::logout(http::request request, http::responder respond) {
  http::reply gone{.status = 204, .body = {}, .headers = {{"Cache-Control", "no-store"}}};
  gone.headers.push_back(cookie("", 0s));
  auto sid = sid_of_request(request);
  if (!sid)
    return respond(std::move(gone));
  commands_.dispatch_and_wait<user_logged_out_event, accepted>(
      microlith::correlated(logout_command{*sid}), options_.answer_limit,
      resume([self = shared_from_this(), gone, respond,
              sid](const answer<user_logged_out_event, accepted>& outcome) {
        microlith::match(
            outcome,
            [&](const user_logged_out_event&) {
              self->find_user(*sid, outcome.position, respond,
                              [gone, respond](const auto&) { respond(gone); });
            },
            [&](const accepted&) {
              // Nobody is signed in any more. Where the answer to an earlier sign-out was lost, the
              // rows may not tell so yet, and the next request would be wrong.
              self->find_user(*sid, 0, respond, [gone, respond](const auto& user) {
                if (!user)
                  return respond(gone);
                fail(respond, {.kind = failure_kind::unreachable,
                               .certainty = microlith::certainty::unknown,
                               .text = "the rows do not show yet that the user has signed out",
                               .message = {}});
              });
            },
            [&](const failure& why) { fail(respond, why); });
      }));
}

void gateway::me(http::request request, http::responder respond) {
  auto sid = sid_of_request(request);
  if (!sid)
    return respond(http::error_reply(401, "not_logged_in"));
  find_user(
      *sid, 0, respond,
      [self = shared_from_this(), sid,
       token = std::string{http::find_cookie(request.value("Cookie"), token_cookie)},
       respond](const std::optional<signed_in_user>& user) {
        if (!user) {
          auto reply = http::error_reply(401, "not_logged_in");
          reply.headers.push_back(self->cookie("", 0s));
          return respond(std::move(reply));
        }
        auto reply = user_reply(200, user->email, user->role);
        auto expires_at = user->expires_at;
        if (auto later = extended(user->expires_at, user->ends_at, wall_now())) {
          expires_at = *later;
          reply.headers.push_back(self->cookie(token, time_left(expires_at)));
          static_cast<void>(self->commands_.dispatch(extend_session_command{*sid}));
        }
        reply.headers.push_back({"Session-Max-Age", std::to_string(time_left(expires_at).count())});
        respond(std::move(reply));
      });
}

void gateway::show_metrics(http::request request, http::responder respond) {
  // A proxy on this machine that nobody told us of must not make everybody local.
  auto is_local = client_of(request).is_loopback() &&
                  (!options_.trusted_proxies.empty() || request.count("X-Forwarded-For") == 0);
  if (!is_local && !options_.public_metrics)
    return respond(http::error_reply(403, "forbidden"));
  respond({.body = metrics_(),
           .content_type = "text/plain; version=0.0.4; charset=utf-8",
           .headers = {{"Cache-Control", "no-store"}}});
}

void gateway::find_user(const std::string& sid, std::uint64_t after, http::responder respond,
                        on_user then) {
  queries_.ask(current_user_request{sid}, {.limit = options_.answer_limit, .after = after},
               resume([respond, then](const answer<current_user_response>& outcome) {
                 microlith::match(
                     outcome, [&](const current_user_response& response) { then(response.user); },
                     [&](const failure& why) { fail(respond, why); });
               }));
}

http::ip_address gateway::client_of(const http::request& request) const {
  return http::client_address(request.peer, request.value("X-Forwarded-For"),
                              options_.trusted_proxies);
}

http::header gateway::cookie(std::string_view token, std::chrono::seconds max_age) const {
  return {"Set-Cookie",
          http::set_cookie(token_cookie, token, max_age, !options_.trusted_proxies.empty())};
}

}  // namespace auth
