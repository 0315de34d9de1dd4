#pragma once

// The write side of users: who may register, and whose password is right.
//
// A decider: pure functions over the events of one e-mail address, which is the key of the stream.
// So an e-mail is unique whatever the concurrency. Only `prepare` is slow; it runs in workers.

#include "auth/messages.hpp"

#include <microlith/actors/decider.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

namespace auth {

/// A sign-in ends so long after it began or was last extended, …
inline constexpr std::chrono::seconds session_idle_limit{600};
/// … and so long after it began in any case.
inline constexpr std::chrono::hours session_total_limit{12};

struct user {
  static constexpr std::string_view stream = "auth.user";
  using sensitive = microlith::sensitive_fields<"password_hash">;
  std::string password_hash;  ///< empty: there is no such user
  auth::role role = auth::role::user;

  [[nodiscard]] bool exists() const { return !password_hash.empty(); }
};
BOOST_DESCRIBE_STRUCT(user, (), (password_hash, role))

[[nodiscard]] std::string stream_key(const register_command& command);
[[nodiscard]] std::string stream_key(const login_command& command);

[[nodiscard]] user evolve(user state, const user_registered_event& event);

struct hashed_password {
  std::string hash;
};

/// Nothing to hash for a user who exists.
[[nodiscard]] hashed_password prepare(const user& state, const register_command& command);
[[nodiscard]] std::string prepare_basis(const user& state, const register_command& command);

/// Only an admin makes an admin.
[[nodiscard]] std::variant<user_registered_event, register_error_raised> decide(
    const user& state, const register_command& command, const hashed_password& prepared,
    const microlith::decision_info& info);

struct checked_password {
  bool matches = false;
};

/// Takes as long for a user who does not exist.
[[nodiscard]] checked_password prepare(const user& state, const login_command& command);
[[nodiscard]] std::string prepare_basis(const user& state, const login_command& command);

/// A sign-in changes nothing about the user: its event begins the stream of a sign-in
/// (session.hpp).
[[nodiscard]] std::variant<user_logged_in_event, login_error_raised> decide(
    const user& state, const login_command& command, const checked_password& prepared,
    const microlith::decision_info& info);

}  // namespace auth
