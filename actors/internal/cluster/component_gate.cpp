#include <microlith/actors/internal/cluster/component_gate.hpp>

#include <utility>

namespace microlith::internal {

bool component_gate::enters(envelope& message, bool from_within) {
  passed_.fetch_add(1);
  if (mode_.load() == mode::open)
    return true;
  std::lock_guard lock{mutex_};
  auto now = mode_.load();
  if (now == mode::open || (now == mode::draining && from_within))
    return true;
  held_.push_back(std::move(message));
  passed_.fetch_sub(1);
  return false;
}

void component_gate::hold() {
  std::lock_guard lock{mutex_};
  if (mode_.load() == mode::open)
    mode_.store(mode::draining);
}

bool component_gate::closes() {
  std::lock_guard lock{mutex_};
  if (mode_.load() == mode::open)
    return false;
  if (passed_.load() != 0)
    return false;
  mode_.store(mode::closed);
  return passed_.load() == 0;
}

std::vector<envelope> component_gate::open() {
  std::lock_guard lock{mutex_};
  mode_.store(mode::open);
  return std::exchange(held_, {});
}

std::size_t component_gate::held() const {
  std::lock_guard lock{mutex_};
  return held_.size();
}

}  // namespace microlith::internal
