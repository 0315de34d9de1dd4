#include "auth/idempotency.hpp"

#include <algorithm>

namespace auth {

bool is_idempotency_key(std::string_view text) {
  return !text.empty() && text.size() <= idempotency_key_limit_characters &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string idempotency_scope(const http_key& key, std::string_view route, std::string_view subject,
                              std::string_view text) {
  return key.hash({"scope", route, subject, text});
}

std::string stream_key(const claim_idempotency_key_command& command) {
  return command.scope_hash;
}

idempotency_key evolve(idempotency_key state, const idempotency_key_claimed_event& event) {
  state.body_hash = event.body_hash;
  state.id = event.id;
  state.correlation = event.correlation;
  return state;
}

std::variant<idempotency_key_claimed_event, idempotency_key_known, idempotency_key_reused> decide(
    const idempotency_key& state, const claim_idempotency_key_command& command) {
  if (!state.is_claimed())
    return idempotency_key_claimed_event{command.scope_hash, command.body_hash, command.id,
                                         command.correlation};
  if (state.body_hash != command.body_hash)
    return idempotency_key_reused{command.scope_hash};
  return idempotency_key_known{state.id, state.correlation};
}

}  // namespace auth
