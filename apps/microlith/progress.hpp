#pragma once

// How far long work is, on a terminal; silent where standard error is none. One thread.

#include <chrono>
#include <cstdint>
#include <string>

namespace tool {

class progress_bar {
 public:
  explicit progress_bar(std::string what);
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  /// Takes the bar away.
  ~progress_bar();

  void show(std::uint64_t done, std::uint64_t of);

 private:
  std::string what_;
  bool on_terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

/// "verify  [#########-----------]  45%  1234 of 2742"
[[nodiscard]] std::string progress_text(const std::string& what, std::uint64_t done,
                                        std::uint64_t of);

}  // namespace tool
