#pragma once

// The messages of the sample: all that its components know of each other.
//
// Plain values, usable from any thread. A sign-in is known by its `sid`, the hash of the token in
// the user's cookie: the token itself never enters a message.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/secret.hpp>
#include <microlith/messages/stream_of.hpp>

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace auth {

enum class role : std::uint8_t { user, admin };
BOOST_DESCRIBE_ENUM(role, user, admin)

struct register_command {
  using message = microlith::command<"auth.register_command">;
  std::string email;
  microlith::secret<std::string> password;
  auth::role role = auth::role::user;
};
BOOST_DESCRIBE_STRUCT(register_command, (), (email, password, role))

struct login_command {
  using message = microlith::command<"auth.login_command">;
  std::string email;
  microlith::secret<std::string> password;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(login_command, (), (email, password, sid))

struct logout_command {
  using message = microlith::command<"auth.logout_command">;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(logout_command, (), (sid))

/// The user of this sign-in is still there.
struct extend_session_command {
  using message = microlith::command<"auth.extend_session_command">;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(extend_session_command, (), (sid))

/// A request came with an Idempotency-Key: which message does it stand for? These are the ids if it
/// is the first.
struct claim_idempotency_key_command {
  using message = microlith::command<"auth.claim_idempotency_key_command">;
  std::string scope_hash;  ///< of the route, who asks, and the key
  std::string body_hash;
  microlith::message_id id;
  microlith::correlation_id correlation;
};
BOOST_DESCRIBE_STRUCT(claim_idempotency_key_command, (), (scope_hash, body_hash, id, correlation))

struct user_registered_event {
  using message = microlith::event<"auth.user_registered_event">;
  using sensitive = microlith::sensitive_fields<"password_hash">;
  std::string email;
  std::string password_hash;  ///< Argon2id, with its salt and cost, as libsodium writes it
  auth::role role = auth::role::user;
};
BOOST_DESCRIBE_STRUCT(user_registered_event, (), (email, password_hash, role))

/// The times are decided once and part of the fact: a later change of the rules leaves them alone.
struct user_logged_in_event {
  using message = microlith::event<"auth.user_logged_in_event">;
  std::string email;
  auth::role role = auth::role::user;
  std::string sid;
  microlith::wall_time expires_at{};  ///< the sign-in ends then, unless it is extended
  microlith::wall_time ends_at{};     ///< it ends then, however often it is extended
};
BOOST_DESCRIBE_STRUCT(user_logged_in_event, (), (email, role, sid, expires_at, ends_at))

/// The user's decider makes the event that a sign-in's stream begins with (session.hpp).
[[nodiscard]] microlith::stream_id stream_of(const user_logged_in_event& event);

struct user_session_extended_event {
  using message = microlith::event<"auth.user_session_extended_event">;
  std::string sid;
  microlith::wall_time expires_at{};
};
BOOST_DESCRIBE_STRUCT(user_session_extended_event, (), (sid, expires_at))

struct user_logged_out_event {
  using message = microlith::event<"auth.user_logged_out_event">;
  std::string email;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(user_logged_out_event, (), (email, sid))

/// The ids stay what they are: every repetition is dispatched with them.
struct idempotency_key_claimed_event {
  using message = microlith::event<"auth.idempotency_key_claimed_event">;
  std::string scope_hash;
  std::string body_hash;
  microlith::message_id id;
  microlith::correlation_id correlation;
};
BOOST_DESCRIBE_STRUCT(idempotency_key_claimed_event, (), (scope_hash, body_hash, id, correlation))

enum class register_error : std::uint8_t {
  user_already_exists,
  forbidden,
  invalid_email,
  weak_password,
  password_too_long,
};
BOOST_DESCRIBE_ENUM(register_error, user_already_exists, forbidden, invalid_email, weak_password,
                    password_too_long)

struct register_error_raised {
  using message = microlith::rejection<"auth.register_error_raised">;
  std::string email;
  std::vector<register_error> errors;
};
BOOST_DESCRIBE_STRUCT(register_error_raised, (), (email, errors))

enum class login_error : std::uint8_t { no_user_found, invalid_password };
BOOST_DESCRIBE_ENUM(login_error, no_user_found, invalid_password)

/// Says which it was; what the client is told does not.
struct login_error_raised {
  using message = microlith::rejection<"auth.login_error_raised">;
  std::string email;
  std::vector<login_error> errors;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(login_error_raised, (), (email, errors, sid))

/// The same request came before; the ids claimed then.
struct idempotency_key_known {
  using message = microlith::rejection<"auth.idempotency_key_known">;
  microlith::message_id id;
  microlith::correlation_id correlation;
};
BOOST_DESCRIBE_STRUCT(idempotency_key_known, (), (id, correlation))

/// The key came before, with another body.
struct idempotency_key_reused {
  using message = microlith::rejection<"auth.idempotency_key_reused">;
  std::string scope_hash;
};
BOOST_DESCRIBE_STRUCT(idempotency_key_reused, (), (scope_hash))

struct signed_in_user {
  std::string email;
  auth::role role = auth::role::user;
  microlith::wall_time expires_at{};
  microlith::wall_time ends_at{};
};
BOOST_DESCRIBE_STRUCT(signed_in_user, (), (email, role, expires_at, ends_at))

struct current_user_response {
  using message = microlith::response<"auth.current_user_response">;
  std::optional<signed_in_user> user;
};
BOOST_DESCRIBE_STRUCT(current_user_response, (), (user))

/// Whose token is it, of which this is the hash?
struct current_user_request {
  using message = microlith::query<"auth.current_user_request", current_user_response>;
  std::string sid;
};
BOOST_DESCRIBE_STRUCT(current_user_request, (), (sid))

/// "user" or "admin", as in messages, JSON and a principal's roles.
[[nodiscard]] constexpr std::string_view to_string(role value) {
  return value == role::admin ? "admin" : "user";
}

}  // namespace auth
