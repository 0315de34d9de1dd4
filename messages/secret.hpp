#pragma once

// A value that must not be seen: a password, a token.
//
// It prints as "***", in logs, traces and JSON alike; reading it takes an explicit `reveal()`.
// Strings, byte strings and plain numbers are overwritten when the secret ends, is moved from or is
// assigned to. That is a habit, not a proof: copies that `reveal()` handed out, and encoded bytes,
// are beyond it. As thread-safe as the value that it holds.

#include <microlith/messages/describe.hpp>

#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace microlith {

/// What stands in for a secret wherever it would be seen.
inline constexpr std::string_view secret_mark = "***";

namespace internal {

/// Overwrites memory with zeros in a way that the optimizer does not remove.
void wipe(void* memory, std::size_t size_bytes) noexcept;

/// Compares all bytes of strings of one length, wherever they differ. The length itself may show.
[[nodiscard]] bool equal_in_constant_time(const void* left, std::size_t left_bytes,
                                          const void* right, std::size_t right_bytes) noexcept;

template <class T>
concept byte_sequence = std::same_as<T, std::string> || std::same_as<T, bytes>;

}  // namespace internal

template <class T>
class secret {
 public:
  secret() = default;

  /// Implicit, so that designated initializers read `.password = "…"`.
  template <class U>
    requires(!std::same_as<std::remove_cvref_t<U>, secret> && std::convertible_to<U, T>)
  secret(U&& value) : value_(std::forward<U>(value)) {}

  secret(const secret&) = default;

  secret(secret&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : value_(std::move(other.value_)) {
    other.wipe();
  }

  secret& operator=(const secret& other) {
    if (this != &other)
      *this = secret{other};
    return *this;
  }

  secret& operator=(secret&& other) noexcept(std::is_nothrow_move_assignable_v<T>) {
    if (this != &other) {
      wipe();
      value_ = std::move(other.value_);
      other.wipe();
    }
    return *this;
  }

  ~secret() { wipe(); }

  [[nodiscard]] const T& reveal() const& { return value_; }
  [[nodiscard]] T reveal() && { return std::move(value_); }
  /// The value in place, for what fills it: no copy is left elsewhere.
  [[nodiscard]] T& reveal_to_fill() { return value_; }

  friend bool operator==(const secret& left,
                         const secret& right) requires(internal::byte_sequence<T> ||
                                                       std::equality_comparable<T>) {
    if constexpr (internal::byte_sequence<T>)
      return internal::equal_in_constant_time(left.value_.data(), left.value_.size(),
                                              right.value_.data(), right.value_.size());
    else
      return left.value_ == right.value_;
  }

  template <class Char, class Traits>
  friend std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                                      const secret&) {
    return out << secret_mark;
  }

 private:
  void wipe() noexcept {
    if constexpr (internal::byte_sequence<T>) {
      // Up to the capacity: an earlier, longer value may have left its end there.
      value_.resize(value_.capacity());
      internal::wipe(value_.data(), value_.size());
      value_.clear();
    } else if constexpr (std::is_arithmetic_v<T>) {
      internal::wipe(&value_, sizeof value_);
    }
  }

  T value_{};
};

namespace internal {

template <class T, class... Outer>
consteval bool secret_within() {
  if constexpr ((std::same_as<T, Outer> || ...)) {
    return false;  // a recursive type: the outer one is being looked at
  } else if constexpr (shape_of<T> == shape::secret) {
    return true;
  } else if constexpr (shape_of<T> == shape::optional || shape_of<T> == shape::list) {
    return secret_within<typename T::value_type, Outer...>();
  } else if constexpr (shape_of<T> == shape::map) {
    return secret_within<typename T::mapped_type, Outer...>();
  } else if constexpr (shape_of<T> == shape::structure) {
    return !all_fields<T>(
        [](auto field) { return !secret_within<field_type<T, decltype(field)>, T, Outer...>(); });
  } else {
    return false;
  }
}

}  // namespace internal

/// Whether a secret is anywhere in a `T`: in a field, a container or a nested struct.
template <class T>
inline constexpr bool holds_secret = internal::secret_within<T>();

}  // namespace microlith
