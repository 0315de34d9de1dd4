#pragma once

// What `subscribe` returns: unsubscribes when destroyed. Movable, any thread.

#include <functional>
#include <utility>

namespace microlith {

class subscription {
 public:
  subscription() = default;
  explicit subscription(std::function<void()> unsubscribe) : unsubscribe_{std::move(unsubscribe)} {}
  subscription(subscription&& other) noexcept
      : unsubscribe_{std::exchange(other.unsubscribe_, nullptr)} {}
  subscription& operator=(subscription&& other) noexcept {
    if (this != &other) {
      reset();
      unsubscribe_ = std::exchange(other.unsubscribe_, nullptr);
    }
    return *this;
  }
  ~subscription() { reset(); }

  /// Unsubscribes now. What is already on its way to the function still reaches it.
  void reset() {
    if (auto unsubscribe = std::exchange(unsubscribe_, nullptr))
      unsubscribe();
  }

  /// Keeps the subscription for as long as the node lives.
  void keep() { unsubscribe_ = nullptr; }

 private:
  std::function<void()> unsubscribe_;
};

}  // namespace microlith
