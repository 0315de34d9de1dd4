#pragma once

// Lets transactions through, and now and then nobody: LMDB's map can be made larger only while no
// transaction of this process looks at it.
//
// Any thread; a transaction may be entered on one thread and left on another.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace microlith::internal {

class map_gate {
 public:
  /// Waits while the gate is closed.
  void enter() {
    if ((inside_.fetch_add(1, std::memory_order_acquire) & closed) != 0) [[unlikely]]
      wait_outside();
  }
  void leave() {
    if ((inside_.fetch_sub(1, std::memory_order_acq_rel) & closed) != 0) [[unlikely]]
      tell();
  }

  /// Lets nobody in, and waits until everybody is out. Where that takes longer, opens again and
  /// gives false: somebody inside may be waiting for the caller.
  [[nodiscard]] bool close(std::chrono::milliseconds patience);
  void open();

 private:
  static constexpr std::uint32_t closed = std::uint32_t{1} << 31;

  void wait_outside();
  void tell();

  std::atomic<std::uint32_t> inside_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace microlith::internal
