#pragma once

// The kinds of message, and the concepts that tell them apart.
//
// A message is a plain aggregate that names its kind in a member alias `message` and lists its
// fields with BOOST_DESCRIBE_STRUCT. It has no base class: an empty base would break designated
// initializers.
//
//     struct register_command {
//       using message = microlith::command<"auth.register_command">;
//       std::string email;
//       microlith::secret<std::string> password;
//     };
//     BOOST_DESCRIBE_STRUCT(register_command, (), (email, password))
//
// The wire name is explicit and stable; the C++ name may change. A kind's last argument is the
// version of the layout, 1 unless given. A struct of version n > 1 names its predecessor in a
// member alias `previous`, and a free function `upcast(const previous&)` found by
// argument-dependent lookup turns an old one into a new one.

#include <microlith/messages/fixed_string.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>

namespace microlith {

enum class message_kind : std::uint8_t { command, query, response, event, rejection };

[[nodiscard]] constexpr std::string_view to_string(message_kind kind) {
  switch (kind) {
    case message_kind::command:
      return "command";
    case message_kind::query:
      return "query";
    case message_kind::response:
      return "response";
    case message_kind::event:
      return "event";
    case message_kind::rejection:
      return "rejection";
  }
  return "unknown";
}

template <fixed_string Name, message_kind Kind, std::uint16_t Version>
struct basic_kind {
  static_assert(Name.view().size() > 0 && Name.view().size() <= 200,
                "a wire name has 1 to 200 characters");
  static_assert(Version >= 1, "versions start at 1");
  static constexpr std::string_view name = Name.view();
  static constexpr message_kind kind = Kind;
  static constexpr std::uint16_t version = Version;
};

/// An intent; exactly one handler serves each type.
template <fixed_string Name, std::uint16_t Version = 1>
struct command : basic_kind<Name, message_kind::command, Version> {};

/// A question that is answered by a `Response`; changes nothing.
template <fixed_string Name, class Response, std::uint16_t Version = 1>
struct query : basic_kind<Name, message_kind::query, Version> {
  using response_type = Response;
};

/// What answers a query.
template <fixed_string Name, std::uint16_t Version = 1>
struct response : basic_kind<Name, message_kind::response, Version> {};

/// A fact in the past tense; journaled, then published.
template <fixed_string Name, std::uint16_t Version = 1>
struct event : basic_kind<Name, message_kind::event, Version> {};

/// The domain's "no"; published on the event bus, never journaled.
template <fixed_string Name, std::uint16_t Version = 1>
struct rejection : basic_kind<Name, message_kind::rejection, Version> {};

template <class T>
concept any_message = requires {
  { T::message::name } -> std::convertible_to<std::string_view>;
  { T::message::kind } -> std::convertible_to<message_kind>;
  { T::message::version } -> std::convertible_to<std::uint16_t>;
};

template <class T>
concept command_message = any_message<T> && T::message::kind == message_kind::command;

template <class T>
concept response_message = any_message<T> && T::message::kind == message_kind::response;

template <class T>
concept query_message = any_message<T> && T::message::kind ==
                        message_kind::query&& response_message<typename T::message::response_type>;

template <class T>
concept event_message = any_message<T> && T::message::kind == message_kind::event;

template <class T>
concept rejection_message = any_message<T> && T::message::kind == message_kind::rejection;

/// What travels on the event bus.
template <class T>
concept published_message = event_message<T> || rejection_message<T>;

template <any_message T>
inline constexpr std::string_view wire_name = T::message::name;

template <any_message T>
inline constexpr std::uint16_t wire_version = T::message::version;

template <query_message T>
using response_of = typename T::message::response_type;

}  // namespace microlith
