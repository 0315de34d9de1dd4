#pragma once

// Work that may not come to an end of its own: looking at files that are damaged in a way that
// nobody has thought of.

#include <filesystem>
#include <functional>

namespace tool {

/// Runs `look` in a child process and returns the exit code that it returns. Where a signal ends
/// the child instead, it says so and returns `exit_damage` if what lies in `at` has brought that
/// about, `exit_wrong_use` if somebody else has. To be called where this process has but one
/// thread.
[[nodiscard]] int in_child(const std::filesystem::path& at, const std::function<int()>& look);

}  // namespace tool
