#pragma once

// From the runtime's untyped answers to `answer<Ts...>`, and the options of a wait.

#include <microlith/actors/internal/handling.hpp>
#include <microlith/messages/outcome.hpp>

#include <chrono>
#include <type_traits>

namespace microlith {

/// Time limit of a wait that names none.
inline constexpr std::chrono::milliseconds default_wait_limit{5'000};

/// What a wait may be for: a message, or the news that the command ended well.
template <class T>
concept awaitable = any_message<T> || std::same_as<T, accepted>;

/// What waits on the event bus may be for.
template <class T>
concept event_awaitable = published_message<T> || std::same_as<T, accepted>;

struct ask_options {
  std::chrono::milliseconds limit = default_wait_limit;
  std::uint64_t after = 0;  ///< answer from rows that reflect this journal position
};

namespace internal {

template <awaitable... Ts>
[[nodiscard]] wait_spec spec_for(correlation_id correlation, std::chrono::milliseconds limit) {
  wait_spec spec{.correlation = correlation, .bound = {}, .types = {}, .limit = limit};
  auto add = [&spec]<class T>(std::type_identity<T>) {
    if constexpr (std::same_as<T, accepted>)
      spec.takes_accepted = true;
    else
      spec.types.push_back(&type_of<T>());
  };
  (add(std::type_identity<Ts>{}), ...);
  return spec;
}

template <awaitable... Ts>
[[nodiscard]] answer<Ts...> typed(raw_answer&& raw) {
  if (auto* why = std::get_if<failure>(&raw))
    return std::move(*why);
  answer<Ts...> typed_answer{failure{}};
  auto take = [&]<class T>(std::type_identity<T>) {
    if constexpr (std::same_as<T, accepted>) {
      if (auto* done = std::get_if<accepted>(&raw)) {
        typed_answer = *done;
        typed_answer.position = done->position;
      }
    } else if (auto* message = std::get_if<envelope>(&raw)) {
      if (auto* body = message->get_if<T>()) {
        typed_answer = *body;
        typed_answer.position = message->position;
      }
    }
  };
  (take(std::type_identity<Ts>{}), ...);
  return typed_answer;
}

}  // namespace internal
}  // namespace microlith
