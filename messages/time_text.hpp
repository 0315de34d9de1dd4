#pragma once

// Points in time as people write them: RFC 3339, always in UTC. Any thread.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace microlith {

/// "2024-02-29T12:00:00.000001Z"; outside the years 0 to 9999 the count of microseconds since 1970.
[[nodiscard]] std::string time_text(std::chrono::sys_time<std::chrono::microseconds> time);

/// Reads what `time_text` writes for the years 0 to 9999, with 0 to 6 digits of a second's parts,
/// and a day alone ("2024-02-29"), which is its beginning.
[[nodiscard]] std::optional<std::chrono::sys_time<std::chrono::microseconds>> parse_time(
    std::string_view text);

}  // namespace microlith
