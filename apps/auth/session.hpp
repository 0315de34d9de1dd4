#pragma once

// The write side of one sign-in: it begins with the event of a user's login, is extended while its
// user is there, and ends. A decider; see user.hpp.

#include "auth/messages.hpp"

#include <microlith/actors/decider.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

namespace auth {

/// One sign-in is extended at most so often.
inline constexpr std::chrono::seconds session_extension_interval{60};

struct session {
  static constexpr std::string_view stream = "auth.session";
  using events = microlith::events<user_logged_in_event>;

  std::string email;
  microlith::wall_time expires_at{};  ///< the epoch: there is no such sign-in, or it was signed out
  microlith::wall_time ends_at{};

  [[nodiscard]] bool is_live(microlith::wall_time now) const { return now < expires_at; }
};
BOOST_DESCRIBE_STRUCT(session, (), (email, expires_at, ends_at))

[[nodiscard]] std::string stream_key(const logout_command& command);
[[nodiscard]] std::string stream_key(const extend_session_command& command);

[[nodiscard]] session evolve(session state, const user_logged_in_event& event);
[[nodiscard]] session evolve(session state, const user_session_extended_event& event);
[[nodiscard]] session evolve(session state, const user_logged_out_event& event);

/// When a sign-in that would end at `expires_at` ends if it is extended now; nothing if it is too
/// early to extend it, or too late.
[[nodiscard]] std::optional<microlith::wall_time> extended(microlith::wall_time expires_at,
                                                           microlith::wall_time ends_at,
                                                           microlith::wall_time now);

/// Nothing happens for a sign-in that is unknown or over.
[[nodiscard]] std::variant<std::monostate, user_logged_out_event> decide(
    const session& state, const logout_command& command, const microlith::decision_info& info);

/// Nothing happens if it was extended within the interval, either.
[[nodiscard]] std::variant<std::monostate, user_session_extended_event> decide(
    const session& state, const extend_session_command& command,
    const microlith::decision_info& info);

}  // namespace auth
