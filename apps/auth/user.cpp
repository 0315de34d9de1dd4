#include "auth/user.hpp"

#include "auth/email.hpp"
#include "auth/password.hpp"

namespace auth {

std::string stream_key(const register_command& command) {
  return fold_email(command.email);
}

std::string stream_key(const login_command& command) {
  return fold_email(command.email);
}

user evolve(user state, const user_registered_event& event) {
  state.password_hash = event.password_hash;
  state.role = event.role;
  return state;
}

hashed_password prepare(const user& state, const register_command& command) {
  const auto& password = command.password.reveal();
  if (state.exists() || password_error(password) || !is_valid_email(fold_email(command.email)))
    return {};
  return {hash_password(password)};
}

std::string prepare_basis(const user& state, const register_command&) {
  return state.password_hash;
}

std::variant<user_registered_event, register_error_raised> decide(
    const user& state, const register_command& command, const hashed_password& prepared,
    const microlith::decision_info& info) {
  auto email = fold_email(command.email);
  // First of all: who may not ask learns nothing about who exists.
  if (command.role == role::admin && !info.who.has_role(to_string(role::admin)))
    return register_error_raised{email, {register_error::forbidden}};
  register_error_raised refused{email, {}};
  if (!is_valid_email(email))
    refused.errors.push_back(register_error::invalid_email);
  if (auto error = password_error(command.password.reveal()))
    refused.errors.push_back(*error);
  if (state.exists())
    refused.errors.push_back(register_error::user_already_exists);
  if (!refused.errors.empty())
    return refused;
  return user_registered_event{email, prepared.hash, command.role};
}

checked_password prepare(const user& state, const login_command& command) {
  return {verify_password(state.password_hash, command.password.reveal())};
}

std::string prepare_basis(const user& state, const login_command&) {
  return state.password_hash;
}

std::variant<user_logged_in_event, login_error_raised> decide(
    const user& state, const login_command& command, const checked_password& prepared,
    const microlith::decision_info& info) {
  auto email = fold_email(command.email);
  if (!state.exists())
    return login_error_raised{email, {login_error::no_user_found}, command.sid};
  if (!prepared.matches)
    return login_error_raised{email, {login_error::invalid_password}, command.sid};
  return user_logged_in_event{.email = email,
                              .role = state.role,
                              .sid = command.sid,
                              .expires_at = info.now + session_idle_limit,
                              .ends_at = info.now + session_total_limit};
}

}  // namespace auth
