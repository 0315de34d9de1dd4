#pragma once

// What comes of a message: an answer, a rejection of the domain, or a failure of the runtime.
//
// Rejections are messages like any other (message.hpp). A failure is not a message: it is the
// runtime's "no", and every wait may end with one.

#include <microlith/messages/identity.hpp>

#include <boost/assert/source_location.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace microlith {

enum class failure_kind : std::uint8_t {
  timeout,         ///< nothing came within the time limit
  no_handler,      ///< nobody serves this type
  handler_failed,  ///< the handler threw, or what it asked for is not allowed
  overloaded,      ///< a bound was reached; try again later
  unreachable,     ///< the node that serves it cannot be reached
  stopped,         ///< the node is stopping
  conflict,        ///< somebody else kept changing the same stream
  forgotten,       ///< the wait came after its conversation had made room for others
};

/// Whether it is safe to do it again.
enum class certainty : std::uint8_t {
  not_done,  ///< nothing happened
  unknown,   ///< it may have happened
};

[[nodiscard]] std::string_view to_string(failure_kind kind);
[[nodiscard]] std::string_view to_string(certainty value);

struct failure {
  failure_kind kind = failure_kind::handler_failed;
  microlith::certainty certainty = certainty::unknown;
  /// What was attempted, on what, and what to do.
  std::string text;
  /// The dispatch that failed; empty where no single one did.
  message_id message;

  friend bool operator==(const failure&, const failure&) = default;
};

/// "timeout (unknown): no answer to auth.login_command within 5000 ms"
[[nodiscard]] std::string to_string(const failure& why);

/// What `result<T, failure>::value()` throws: a std::runtime_error with the text of the failure.
[[noreturn]] void throw_exception_from_error(const failure& why,
                                             const boost::source_location& where);

/// A command ended well; nothing that it caused was among the awaited types.
struct accepted {
  /// Position of the last event that it caused; 0 where it caused none.
  std::uint64_t position = 0;

  friend bool operator==(const accepted&, const accepted&) = default;
};

/// What a wait for `Ts...` ends with: a variant, visited with `match`.
template <class... Ts>
struct answer : std::variant<Ts..., failure> {
  using variant = std::variant<Ts..., failure>;
  using variant::variant;

  /// Position in the journal of the event that answered, or of the last one that the command
  /// caused; 0 for what is not journaled. A query `after` it sees what the answer tells.
  std::uint64_t position = 0;

  template <class T>
  [[nodiscard]] const T* get_if() const {
    return std::get_if<T>(static_cast<const variant*>(this));
  }

  [[nodiscard]] bool failed() const { return std::holds_alternative<failure>(*this); }
};

namespace internal {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};

template <class Handler, class... Alternatives>
inline constexpr bool handles_all = (std::is_invocable_v<Handler, const Alternatives&> && ...);

}  // namespace internal

/// Calls the handler of the alternative that `value` holds. Forgetting one does not compile.
template <class... Ts, class... Handlers>
decltype(auto) match(const answer<Ts...>& value, Handlers&&... handlers) {
  static_assert(
      internal::handles_all<internal::overloaded<std::decay_t<Handlers>...>, Ts..., failure>,
      "match must handle every alternative of the answer, failure among them");
  return std::visit(
      internal::overloaded<std::decay_t<Handlers>...>{std::forward<Handlers>(handlers)...},
      static_cast<const std::variant<Ts..., failure>&>(value));
}

template <class... Ts, class... Handlers>
decltype(auto) match(const std::variant<Ts...>& value, Handlers&&... handlers) {
  static_assert(internal::handles_all<internal::overloaded<std::decay_t<Handlers>...>, Ts...>,
                "match must handle every alternative of the variant");
  return std::visit(
      internal::overloaded<std::decay_t<Handlers>...>{std::forward<Handlers>(handlers)...}, value);
}

}  // namespace microlith
