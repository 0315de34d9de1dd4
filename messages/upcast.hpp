#pragma once

// Reading what older versions of a message type wrote.
//
// A struct of version n > 1 names the struct of version n - 1 in a member alias `previous`; a
// function `upcast(previous)` found by argument-dependent lookup turns one into the other. Any
// thread.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/message.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace microlith {

template <class T>
concept has_previous = requires {
  typename T::previous;
};

namespace internal {

template <class T>
consteval void check_previous() {
  if constexpr (has_previous<T>) {
    using previous = typename T::previous;
    static_assert(any_message<previous>, "`previous` must be a message");
    static_assert(wire_name<previous> == wire_name<T>,
                  "`previous` must have the same wire name: it is an older version of this type");
    static_assert(wire_version<previous> + 1 == wire_version<T>,
                  "`previous` must have the version before this one");
    static_assert(
        requires(previous old) {
          { upcast(std::move(old)) } -> std::same_as<T>;
        },
        "a type with a `previous` needs a function `T upcast(previous)` beside it");
  }
}

[[nodiscard]] decode_error unknown_version(std::string_view type, std::uint16_t version,
                                           std::uint16_t oldest, std::uint16_t newest);

}  // namespace internal

/// The oldest version of the type that can still be read.
template <any_message T>
[[nodiscard]] consteval std::uint16_t oldest_version() {
  if constexpr (has_previous<T>)
    return oldest_version<typename T::previous>();
  else
    return wire_version<T>;
}

/// Reads what was written in `version`, through the upcasters from there to `T`.
template <any_message T>
[[nodiscard]] result<T, decode_error> decode_version(std::uint16_t version,
                                                     std::span<const std::byte> in) {
  internal::check_previous<T>();
  if (version == wire_version<T>) [[likely]]
    return decode<T>(in);
  if constexpr (has_previous<T>) {
    if (version >= oldest_version<T>() && version < wire_version<T>) {
      auto old = decode_version<typename T::previous>(version, in);
      if (!old)
        return std::move(old).error();
      try {
        return upcast(std::move(*old));
      } catch (const std::exception& e) {
        return decode_error{
            std::string{wire_name<T>},
            {},
            decode_error::nowhere,
            "the upcast to version " + std::to_string(wire_version<T>) + " threw: " + e.what()};
      }
    }
  }
  return internal::unknown_version(wire_name<T>, version, oldest_version<T>(), wire_version<T>);
}

}  // namespace microlith
