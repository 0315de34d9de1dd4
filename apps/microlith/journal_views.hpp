#pragma once

// The commands that show events. Each prints to standard output and returns the exit code.

#include "microlith/event_filter.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

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

struct show_options {
  std::filesystem::path data;
  std::string which;  ///< a position or a message id
  bool json = false;
};
[[nodiscard]] int show_event(const show_options& options);

struct tail_options {
  std::filesystem::path data;
  event_filter filter;
  std::uint64_t events = 10;
  bool follow = false;
  bool json = false;
};
/// With `follow` until it is interrupted, or nobody reads any more.
[[nodiscard]] int tail_events(const tail_options& options);

struct export_options {
  std::filesystem::path data;
  event_filter filter;
  std::filesystem::path to;  ///< empty: standard output
};
/// An event a line, as JSON.
[[nodiscard]] int export_events(const export_options& options);

}  // namespace tool
