#pragma once

// Which stream an event belongs to.
//
// An event that a decider returns goes to the decider's own stream, one that a function handler
// dispatches to none, unless a function `stream_id stream_of(const Event&)` found by
// argument-dependent lookup says otherwise. It is declared right below the event's struct: whoever
// sees the one must see the other.

#include <microlith/messages/message.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace microlith {

/// The events of one thing, in order: a category ("auth.user") and a key within it.
struct stream_id {
  std::string category;
  std::string key;

  /// "auth.user/alice@example.org"; as the journal knows it.
  [[nodiscard]] std::string name() const {
    std::string whole;
    whole.reserve(category.size() + 1 + key.size());
    whole.append(category).append(1, '/').append(key);
    return whole;
  }

  friend bool operator==(const stream_id&, const stream_id&) = default;
};

namespace internal {

template <class E>
concept has_stream_of = requires(const E& event) {
  { stream_of(event) } -> std::convertible_to<stream_id>;
};

/// Of another type than a stream's id: meant, and not followed.
template <class E>
concept has_wrong_stream_of = !has_stream_of<E> && requires(const E& event) {
  stream_of(event);
};

template <class T>
concept belongs_to_stream = event_message<T> && has_stream_of<T>;

template <event_message E>
[[nodiscard]] std::string stream_name_of(const E& event, std::string otherwise = {}) {
  if constexpr (has_stream_of<E>)
    return stream_id{stream_of(event)}.name();
  else
    return otherwise;
}

/// For a type's descriptor: its `stream_of`, if it has one.
template <any_message T>
[[nodiscard]] consteval auto stream_function() -> std::string (*)(const void*) {
  if constexpr (belongs_to_stream<T>)
    return [](const void* body) { return stream_name_of(*static_cast<const T*>(body)); };
  else
    return nullptr;
}

}  // namespace internal
}  // namespace microlith
