#pragma once

// Conversations that were an event from outside and nothing else, and are over: the event is
// durable. They are many and hardly anybody asks for one, so to add one and to drop the oldest is
// cheap, and to find one takes longer. Not thread-safe.

#include <microlith/messages/envelope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace microlith::internal {

struct quiet_end {
  correlation_id correlation;
  message_id event;
  std::uint64_t position = 0;  ///< where the journal keeps the event for those who may still ask
  steady_time ended_at;
};

class quiet_ends {
 public:
  void add(const quiet_end& end) {
    all_.push_back(end);
    newest_ = std::max(newest_, end.correlation);
  }

  [[nodiscard]] std::size_t size() const { return all_.size(); }

  /// Null: there is none.
  [[nodiscard]] const quiet_end* oldest() const { return all_.empty() ? nullptr : &all_.front(); }

  [[nodiscard]] bool contains(correlation_id id) const { return find(id) != all_.rend(); }

  /// Removes that of this conversation.
  [[nodiscard]] std::optional<quiet_end> take(correlation_id id) {
    auto at = find(id);
    if (at == all_.rend())
      return std::nullopt;
    auto taken = *at;
    all_.erase(std::next(at).base());
    return taken;
  }

  /// Removes the oldest one; there is one.
  quiet_end take_oldest() {
    auto taken = all_.front();
    all_.pop_front();
    return taken;
  }

 private:
  // From the newest on: who asks mostly does so soon. Ids grow with time: a conversation that only
  // begins, as most do, takes one comparison.
  [[nodiscard]] std::deque<quiet_end>::const_reverse_iterator find(correlation_id id) const {
    return std::find_if(id > newest_ ? all_.rend() : all_.rbegin(), all_.rend(),
                        [&](const quiet_end& end) { return end.correlation == id; });
  }

  std::deque<quiet_end> all_;  // oldest first
  correlation_id newest_;
};

}  // namespace microlith::internal
