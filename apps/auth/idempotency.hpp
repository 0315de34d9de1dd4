#pragma once

// Requests that may come twice: the message id that a client's Idempotency-Key stands for.
//
// A decider: pure functions over the events of one scope, which is the key of the stream. The first
// claim of a scope fixes body and ids for good; so whoever repeats a request dispatches the same
// message again, which the runtime carries out once.

#include "auth/http_key.hpp"
#include "auth/messages.hpp"

#include <microlith/actors/decider.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace auth {

inline constexpr std::size_t idempotency_key_limit_characters = 255;

/// Whether it may be the text of the header: 1 to 255 visible ASCII characters.
[[nodiscard]] bool is_idempotency_key(std::string_view text);

/// The scope of a header's text, hashed: the same text is another key on another route, such as
/// "POST /api/register", and of somebody else; `subject` is empty for all who have not signed in.
[[nodiscard]] std::string idempotency_scope(const http_key& key, std::string_view route,
                                            std::string_view subject, std::string_view text);

struct idempotency_key {
  static constexpr std::string_view stream = "auth.idempotency_key";
  std::string body_hash;
  microlith::message_id id;  ///< empty: nobody has claimed it
  microlith::correlation_id correlation;

  [[nodiscard]] bool is_claimed() const { return !id.empty(); }
};
BOOST_DESCRIBE_STRUCT(idempotency_key, (), (body_hash, id, correlation))

[[nodiscard]] std::string stream_key(const claim_idempotency_key_command& command);

[[nodiscard]] idempotency_key evolve(idempotency_key state,
                                     const idempotency_key_claimed_event& event);

[[nodiscard]] std::variant<idempotency_key_claimed_event, idempotency_key_known,
                           idempotency_key_reused>
decide(const idempotency_key& state, const claim_idempotency_key_command& command);

}  // namespace auth
