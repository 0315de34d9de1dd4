#include <microlith/actors/internal/refusal_log.hpp>

namespace microlith::internal {

void refusal_log::tell(const failure& why, steady_time now,
                       const std::function<void(const std::string&)>& say) {
  auto& about = reasons_[static_cast<std::size_t>(why.kind)];
  auto next = about.next.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() < next ||
      !about.next.compare_exchange_strong(next, (now + interval).time_since_epoch().count(),
                                          std::memory_order_relaxed)) {
    about.untold.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::lock_guard lock{mutex_};
  if (closed_)
    return;
  auto line = "refused: " + to_string(why);
  if (auto untold = about.untold.exchange(0, std::memory_order_relaxed); untold != 0)
    line +=
        "; and " + std::to_string(untold) + " more for the same reason since the last such line";
  say(line);
}

void refusal_log::close() {
  std::lock_guard lock{mutex_};
  closed_ = true;
}

}  // namespace microlith::internal
