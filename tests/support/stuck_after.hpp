#pragma once

#include <chrono>

namespace microlith::test {

/// Longer than anything takes that is not stuck.
inline constexpr std::chrono::seconds stuck_after{60};

}  // namespace microlith::test
