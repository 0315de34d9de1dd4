#pragma once

// SIGTERM and SIGINT: the first asks the process to stop, a second one ends it at once, with 128
// and the number of the signal as its exit code. What has not stopped when the limit is over is cut
// short, with exit code 0: whatever was acknowledged is durable.

#include <chrono>
#include <future>

namespace auth {

/// Longest time from the first signal to the end of the process.
inline constexpr std::chrono::milliseconds stop_limit{4'500};

class stop_signals {
 public:
  /// Made once, in `main`, before there is any other thread: threads inherit what is blocked.
  explicit stop_signals(std::chrono::milliseconds limit = stop_limit);

  /// Blocks until somebody asks for the end. Any thread.
  void wait() const { asked_.wait(); }

 private:
  std::shared_future<void> asked_;
};

}  // namespace auth
