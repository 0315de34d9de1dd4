#pragma once

// How often something that failed is tried again, and how long one waits before. A value.

#include <algorithm>
#include <chrono>

namespace microlith {

struct retry_policy {
  unsigned times = 5;  ///< after the first attempt
  std::chrono::milliseconds first_delay{100};
  std::chrono::milliseconds max_delay{10'000};

  /// How long to wait before try `n` again, from 1 on: twice as long each time, up to `max_delay`.
  [[nodiscard]] constexpr std::chrono::milliseconds delay_before(unsigned n) const {
    auto delay = first_delay;
    for (; n > 1 && delay < max_delay; --n)
      delay *= 2;
    return std::min(delay, max_delay);
  }
};

}  // namespace microlith
