#pragma once

// What projections, durable subscriptions and components may be called: their names become folders
// and keys on disk, words on a command line, and values in a file.

#include <string>
#include <string_view>

namespace microlith {

inline constexpr std::size_t max_stored_name_bytes = 200;

/// Letters, digits, '-', '_' and '.', the first of them no '.'; not empty.
[[nodiscard]] bool is_stored_name(std::string_view name);

/// What is said of one that is not good; `what` is such as "a projection".
[[nodiscard]] std::string bad_stored_name(std::string_view what, std::string_view name);

}  // namespace microlith
