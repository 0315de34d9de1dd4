#pragma once

// `microlith journal verify`. Prints what it finds and returns the exit code.

#include <filesystem>

namespace tool {

struct verify_command {
  std::filesystem::path data;
  bool json = false;
};

/// In a child process (child.hpp): a file that is damaged in a way that nobody has thought of may
/// end that, and is reported all the same.
[[nodiscard]] int verify_data(const verify_command& command);

}  // namespace tool
