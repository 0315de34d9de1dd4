#pragma once

// The time as the kernel last noted it: up to a tick (4 ms) late, for a fifth of the cost of an
// exact one. For bounds and ages, never for what is measured. Any thread.

#include <chrono>
#include <ctime>

namespace microlith::internal {

#ifdef CLOCK_MONOTONIC_COARSE

[[nodiscard]] inline std::chrono::nanoseconds coarse_time(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

[[nodiscard]] inline std::chrono::steady_clock::time_point coarse_steady_now() {
  return std::chrono::steady_clock::time_point{coarse_time(CLOCK_MONOTONIC_COARSE)};
}

[[nodiscard]] inline std::chrono::system_clock::time_point coarse_system_now() {
  return std::chrono::system_clock::time_point{coarse_time(CLOCK_REALTIME_COARSE)};
}

#else

[[nodiscard]] inline std::chrono::steady_clock::time_point coarse_steady_now() {
  return std::chrono::steady_clock::now();
}

[[nodiscard]] inline std::chrono::system_clock::time_point coarse_system_now() {
  return std::chrono::system_clock::now();
}

#endif

}  // namespace microlith::internal
