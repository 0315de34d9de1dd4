#pragma once

// A message with the identity that it will be dispatched under, so that one can wait for its
// answer.

#include <microlith/messages/envelope.hpp>

#include <map>
#include <string>
#include <type_traits>
#include <utility>

namespace microlith {

template <any_message T>
struct correlated_message {
  T body;
  message_id id;
  correlation_id correlation;
  microlith::principal principal;              ///< who asks
  std::map<std::string, std::string> headers;  ///< inherited by all that it causes
};

/// Gives `body` a message id and begins a conversation with it. `who` is the principal that the
/// edge has established.
template <class T>
  requires any_message<std::remove_cvref_t<T>>
[[nodiscard]] correlated_message<std::remove_cvref_t<T>> correlated(
    T&& body, principal who = {}, std::map<std::string, std::string> headers = {}) {
  auto [id, correlation] = internal::next_uuids();
  return {.body = std::forward<T>(body),
          .id = {id.high, id.low},
          .correlation = {correlation.high, correlation.low},
          .principal = std::move(who),
          .headers = std::move(headers)};
}

/// The same in a conversation that has begun already.
template <any_message T>
[[nodiscard]] correlated_message<T> correlated_in(correlation_id conversation, T body,
                                                  principal who = {}) {
  auto message = correlated(std::move(body), std::move(who));
  message.correlation = conversation;
  return message;
}

}  // namespace microlith
