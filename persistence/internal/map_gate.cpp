#include <microlith/persistence/internal/map_gate.hpp>

namespace microlith::internal {

void map_gate::wait_outside() {
  std::unique_lock lock{mutex_};
  inside_.fetch_sub(1, std::memory_order_relaxed);
  changed_.notify_all();
  changed_.wait(lock, [&] { return (inside_.load(std::memory_order_relaxed) & closed) == 0; });
  // It is closed under the lock only.
  inside_.fetch_add(1, std::memory_order_acquire);
}

void map_gate::tell() {
  std::lock_guard lock{mutex_};
  changed_.notify_all();
}

bool map_gate::close(std::chrono::milliseconds patience) {
  std::unique_lock lock{mutex_};
  auto until = std::chrono::steady_clock::now() + patience;
  auto is_open = [&] { return (inside_.load(std::memory_order_relaxed) & closed) == 0; };
  if (!changed_.wait_until(lock, until, is_open))
    return false;
  inside_.fetch_or(closed, std::memory_order_relaxed);
  if (changed_.wait_until(lock, until,
                          [&] { return inside_.load(std::memory_order_acquire) == closed; }))
    return true;
  inside_.fetch_and(~closed, std::memory_order_relaxed);
  changed_.notify_all();
  return false;
}

void map_gate::open() {
  std::lock_guard lock{mutex_};
  inside_.fetch_and(~closed, std::memory_order_release);
  changed_.notify_all();
}

}  // namespace microlith::internal
