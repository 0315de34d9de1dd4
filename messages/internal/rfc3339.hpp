#pragma once

// Points in time as text: "2024-02-29T12:00:00.000001Z" (RFC 3339), always in UTC. Any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace microlith::internal {

/// A length of time that is counted: so many `numerator/denominator` of a second.
struct tick {
  std::intmax_t numerator = 1;
  std::intmax_t denominator = 1;
};

/// `ticks` since 1970-01-01T00:00:00Z. Nothing where the text form has no words for it: years
/// before 0 or after 9999, or ticks that are neither whole seconds nor a power of ten of one.
[[nodiscard]] std::optional<std::string> to_rfc3339(std::int64_t ticks, tick unit);

/// The reverse. Takes what `to_rfc3339` writes, with any number of digits after the point that the
/// unit can hold. Nothing for anything else, other time zones and leap seconds among it.
[[nodiscard]] std::optional<std::int64_t> from_rfc3339(std::string_view text, tick unit);

}  // namespace microlith::internal
