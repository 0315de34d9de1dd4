#include "auth/session.hpp"

#include "auth/user.hpp"

#include <algorithm>

namespace auth {

std::string stream_key(const logout_command& command) {
  return command.sid;
}

std::string stream_key(const extend_session_command& command) {
  return command.sid;
}

microlith::stream_id stream_of(const user_logged_in_event& event) {
  return {std::string{session::stream}, event.sid};
}

session evolve(session state, const user_logged_in_event& event) {
  state.email = event.email;
  state.expires_at = event.expires_at;
  state.ends_at = event.ends_at;
  return state;
}

session evolve(session state, const user_session_extended_event& event) {
  state.expires_at = event.expires_at;
  return state;
}

session evolve(session, const user_logged_out_event&) {
  return {};
}

std::optional<microlith::wall_time> extended(microlith::wall_time expires_at,
                                             microlith::wall_time ends_at,
                                             microlith::wall_time now) {
  auto candidate = std::min<microlith::wall_time>(now + session_idle_limit, ends_at);
  // What is left to gain near the end of all is less than the interval: not worth an event.
  if (now >= expires_at || candidate - expires_at < session_extension_interval)
    return std::nullopt;
  return candidate;
}

std::variant<std::monostate, user_logged_out_event> decide(const session& state,
                                                           const logout_command& command,
                                                           const microlith::decision_info& info) {
  if (!state.is_live(info.now))
    return std::monostate{};
  return user_logged_out_event{state.email, command.sid};
}

std::variant<std::monostate, user_session_extended_event> decide(
    const session& state, const extend_session_command& command,
    const microlith::decision_info& info) {
  auto expires_at = extended(state.expires_at, state.ends_at, info.now);
  if (!expires_at)
    return std::monostate{};
  return user_session_extended_event{command.sid, *expires_at};
}

}  // namespace auth
