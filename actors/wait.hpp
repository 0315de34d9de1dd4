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

// The answer as the first of the types that it is.
template <class Answer>
[[nodiscard]] Answer typed_as(raw_answer&&) {
  return failure{};
}
template <class Answer, awaitable T, awaitable... Rest>
[[nodiscard]] Answer typed_as(raw_answer&& raw) {
  if constexpr (std::same_as<T, accepted>) {
    if (auto* done = std::get_if<accepted>(&raw)) {
      Answer out{*done};
      out.position = done->position;
      return out;
    }
  } else if (auto* message = std::get_if<envelope>(&raw)) {
    if (message->get_if<T>() != nullptr) {
      auto position = message->position;
      Answer out{std::move(*message).template take<T>()};
      out.position = position;
      return out;
    }
  }
  return typed_as<Answer, Rest...>(std::move(raw));
}

template <awaitable... Ts>
[[nodiscard]] answer<Ts...> typed(raw_answer&& raw) {
  if (auto* why = std::get_if<failure>(&raw))
    return std::move(*why);
  return typed_as<answer<Ts...>, Ts...>(std::move(raw));
}

}  // namespace internal
}  // namespace microlith
