#pragma once

// The commands that show events. Each prints to standard output and returns the exit code.

#include "microlith/event_filter.hpp"

#include <cstdint>
#include <filesystem>

namespace tool {

struct stats_options {
  std::filesystem::path data;
  bool json = false;
};
[[nodiscard]] int journal_stats(const stats_options& options);

struct list_options {
  std::filesystem::path data;
  event_filter filter;
  std::uint64_t limit = 100;  ///< 0: none
  bool json = false;
};
[[nodiscard]] int list_events(const list_options& options);

}  // namespace tool
