#pragma once

// `microlith journal backup` and `restore`. Each says what it did and returns the exit code.

#include <filesystem>

namespace tool {

struct backup_options {
  std::filesystem::path data;
  std::filesystem::path to;
  bool json = false;
};
[[nodiscard]] int back_up_journal(const backup_options& options);

struct restore_options {
  std::filesystem::path from;
  std::filesystem::path data;
  bool json = false;
};
[[nodiscard]] int restore_journal(const restore_options& options);

}  // namespace tool
