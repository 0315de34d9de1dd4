#pragma once

// The side of a peer that every thread may touch: messages go in here, and its status is read here.
//
// What is kept (waiting here, or sent and not acknowledged) is bounded. Messages come out in the
// order of `put`. What is not marked is for any thread.

#include <microlith/actors/internal/link.hpp>
#include <microlith/actors/internal/link/frame.hpp>

#include <cstddef>
#include <mutex>
#include <span>

namespace microlith::internal {

class outbox {
 public:
  outbox(std::string peer, std::string address, std::size_t max_kept_bytes);

  struct put_result {
    sent outcome = sent::unreachable;
    bool wake = false;  ///< the links' thread does not know yet that something waits
  };
  [[nodiscard]] put_result put(std::span<const std::byte> message);
  [[nodiscard]] link_status status() const;

  /// Links' thread: messages are taken from now on. A peer that joins anew is counted anew.
  void open(bool anew);
  /// Links' thread: none are taken any more; those that were stay.
  void shut();
  /// Links' thread: those that were taken are gone, too.
  void drop();
  /// Links' thread: what waits, as records.
  [[nodiscard]] link_bytes take();
  /// Links' thread: bytes of records that the peer has acknowledged.
  void release(std::size_t size_bytes);

  /// Links' thread.
  template <class F>
  void update_status(F change) {
    std::lock_guard lock{mutex_};
    change(status_);
  }

 private:
  const std::size_t max_kept_bytes_;
  mutable std::mutex mutex_;
  bool open_ = false;
  bool woken_ = false;
  std::size_t kept_bytes_ = 0;
  link_bytes waiting_;
  link_status status_;
};

}  // namespace microlith::internal
