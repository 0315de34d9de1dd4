#pragma once

// 128-bit, time-ordered identifiers, in the layout of UUID version 7 (RFC 9562, section 5.7, method
// 3: the sub-millisecond fraction fills rand_a).
//
// Ids made by one process strictly increase in the order in which they were made, whichever thread
// makes them. Their low half is random, so ids of different processes do not collide. They are not
// secrets: never derive a token from one.

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace microlith {

namespace internal {

struct uuid_halves {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

/// Thread-safe; strictly increasing within the process.
[[nodiscard]] uuid_halves next_uuid();
/// Two in a row, for less than twice the price.
[[nodiscard]] std::pair<uuid_halves, uuid_halves> next_uuids();
[[nodiscard]] std::string uuid_text(uuid_halves id);
[[nodiscard]] std::optional<uuid_halves> parse_uuid(std::string_view text);

}  // namespace internal

/// An identifier of one role. Zero means "none".
template <class Role>
struct basic_id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] static basic_id make() {
    auto id = internal::next_uuid();
    return {id.high, id.low};
  }

  /// Reads the 36-character text form, in either case; nothing else.
  [[nodiscard]] static std::optional<basic_id> parse(std::string_view text) {
    if (auto id = internal::parse_uuid(text))
      return basic_id{id->high, id->low};
    return std::nullopt;
  }

  [[nodiscard]] constexpr bool empty() const { return high == 0 && low == 0; }

  /// When it was made, to the millisecond; meaningless for an id that `make` did not make.
  [[nodiscard]] std::chrono::sys_time<std::chrono::milliseconds> time() const {
    return std::chrono::sys_time<std::chrono::milliseconds>{
        std::chrono::milliseconds{static_cast<std::int64_t>(high >> 16)}};
  }

  friend constexpr auto operator<=>(const basic_id&, const basic_id&) = default;
};

/// "018f…-…-7…-…-…", lower case, 36 characters.
template <class Role>
[[nodiscard]] std::string to_string(const basic_id<Role>& id) {
  return internal::uuid_text({id.high, id.low});
}

/// Which message; the causation id of a message is the message id of what caused it.
using message_id = basic_id<struct message_role>;

/// Which conversation.
using correlation_id = basic_id<struct correlation_role>;

}  // namespace microlith

template <class Role>
struct std::hash<microlith::basic_id<Role>> {
  [[nodiscard]] std::size_t operator()(const microlith::basic_id<Role>& id) const noexcept {
    // Neighbours in time differ in the high half, ids of one instant in the low one: mix both.
    return static_cast<std::size_t>((id.high ^ id.low) * 0x9E3779B97F4A7C15ULL);
  }
};
