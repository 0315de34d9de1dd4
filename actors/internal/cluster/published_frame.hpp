#pragma once

// What is published to one peer: a frame that grows by an event at a time, until it is full or
// nothing more follows. Facts that events have in common are in it once. One thread at a time.

#include <microlith/actors/internal/cluster/wire.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace microlith::internal {

class published_frame {
 public:
  [[nodiscard]] bool empty() const { return events_ == 0; }
  [[nodiscard]] std::size_t events() const { return events_; }
  /// It is to leave: as large as what a link writes at once.
  [[nodiscard]] bool is_full() const { return frame_.size() >= full_bytes; }
  [[nodiscard]] const bytes& frame() const { return frame_; }

  /// `event` is a wire::message without facts, encoded; `written` are the facts that it has, as a
  /// wire::published_facts, encoded.
  void add(std::uint8_t use, std::span<const std::byte> event,
           const std::shared_ptr<const conversation_facts>& facts,
           std::span<const std::byte> written);
  /// Keeps its memory, within limits.
  void clear();
  /// Overwrites what it holds.
  void wipe();

 private:
  static constexpr std::size_t full_bytes = std::size_t{64} << 10;

  bytes frame_;
  std::size_t events_ = 0;
  std::shared_ptr<const conversation_facts> facts_;  ///< of the last one
};

}  // namespace microlith::internal
