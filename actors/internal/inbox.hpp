#pragma once

// Messages on their way to an actor, beside its mailbox: however many come, one CAF message (the
// bell) brings them all, and neither side allocates.
//
// Any thread pushes, one actor reads. Whoever pushes into an inbox that nobody looks after rings;
// until the reader has found the inbox empty, nobody else does. Order is that of the pushes.

#include <microlith/actors/internal/brief_mutex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace microlith::internal {

/// What an actor reads at one bell before it lets others have its thread.
inline constexpr std::size_t inbox_step = 128;

enum class pushed : std::uint8_t { quietly, must_ring, not_at_all };

template <class T>
class inbox {
 public:
  /// True: the reader must be rung.
  [[nodiscard]] bool push(T&& value) {
    std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(value));
    filled_.store(true, std::memory_order_relaxed);
    return !std::exchange(attended_, true);
  }

  /// The same where the inbox may be closed meanwhile; `value` is taken unless it is.
  [[nodiscard]] pushed push_unless_closed(T& value) {
    std::lock_guard lock{mutex_};
    if (closed_)
      return pushed::not_at_all;
    waiting_.push_back(std::move(value));
    filled_.store(true, std::memory_order_relaxed);
    return std::exchange(attended_, true) ? pushed::quietly : pushed::must_ring;
  }

  /// Nothing more is taken.
  void close() {
    std::lock_guard lock{mutex_};
    closed_ = true;
  }

  /// All of `values`, in order; leaves them empty. True: the reader must be rung.
  [[nodiscard]] bool push_all(std::vector<T>& values) {
    std::lock_guard lock{mutex_};
    if (waiting_.empty())
      waiting_.swap(values);
    else
      waiting_.insert(waiting_.end(), std::make_move_iterator(values.begin()),
                      std::make_move_iterator(values.end()));
    values.clear();
    filled_.store(true, std::memory_order_relaxed);
    return !std::exchange(attended_, true);
  }

  /// Reader: the next message, valid until the next call; null: there is none, and whoever pushes
  /// now rings.
  [[nodiscard]] T* next() {
    if (at_ == taken_.size() && !refill())
      return nullptr;
    return &taken_[at_++];
  }

  /// Reader: something waits.
  [[nodiscard]] bool filled() const {
    return at_ != taken_.size() || filled_.load(std::memory_order_relaxed);
  }

  /// Reader: it looks after the inbox without being rung, until `next` returns null.
  void attend() {
    std::lock_guard lock{mutex_};
    attended_ = true;
  }

  /// Any thread: messages that wait, those of the step that is being read not among them.
  [[nodiscard]] std::size_t depth() const {
    std::lock_guard lock{mutex_};
    return waiting_.size();
  }

 private:
  bool refill() {
    // A burst must not hold its memory for ever.
    constexpr std::size_t max_kept = 16'384;
    if (taken_.capacity() > max_kept)
      taken_ = std::vector<T>{};
    taken_.clear();
    at_ = 0;
    std::lock_guard lock{mutex_};
    taken_.swap(waiting_);
    filled_.store(false, std::memory_order_relaxed);
    attended_ = !taken_.empty();
    return attended_;
  }

  mutable brief_mutex mutex_;
  std::vector<T> waiting_;
  bool attended_ = false;
  bool closed_ = false;
  std::atomic<bool> filled_{false};
  alignas(64) std::vector<T> taken_;  // the reader's
  std::size_t at_ = 0;
};

/// What an actor does at a bell: calls `handle` for each message, up to a step. True: there may be
/// more, the actor rings itself.
template <class T, class F>
[[nodiscard]] bool read_step(inbox<T>& waiting, F handle) {
  for (std::size_t i = 0; i < inbox_step; ++i) {
    auto* message = waiting.next();
    if (!message)
      return false;
    handle(std::move(*message));
  }
  return true;
}

}  // namespace microlith::internal
