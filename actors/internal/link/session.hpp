#pragma once

// What two processes have said to each other, whichever connections carried it: records are
// numbered, kept until acknowledged, sent again on the next connection, taken once and in order.
//
// No IO and no clock: frames go in and come out. Anything may arrive; what a peer of this protocol
// would not send is answered with the reason, and the connection is to be closed. For one thread.

#include <microlith/actors/internal/link/frame.hpp>
#include <microlith/persistence/function_ref.hpp>

#include <cstdint>
#include <deque>
#include <span>
#include <string>

namespace microlith::internal {

class link_session {
 public:
  explicit link_session(std::size_t window_bytes = receive_window_bytes)
      : window_bytes_{window_bytes}, granted_bytes_{window_bytes} {}

  /// Whole records, to be sent after all that was queued before.
  void queue(link_bytes records);

  /// A new connection: goes on behind what the peer says that it has. False if it cannot have that.
  [[nodiscard]] bool resume(std::uint64_t peer_received);

  /// Appends one frame of records; false if none waits, or the peer has no room for the next one.
  [[nodiscard]] bool write_data(link_bytes& out);
  /// Appends ack, ping, pong or goodbye; the token is that of pings and pongs.
  void write_control(link_bytes& out, frame_kind kind, std::uint64_t token = 0);
  /// So much was taken since the last acknowledgement that one should be sent by itself.
  [[nodiscard]] bool owes_acknowledgement() const {
    return received_bytes_ - acknowledged_to_peer_ >= acknowledge_after_bytes;
  }

  struct taken {
    std::string violation;  ///< empty: fine
    std::uint64_t token = 0;
    std::size_t messages = 0;
  };
  /// Takes a frame of kind data, ack, ping, pong or goodbye; whole messages go to `arrived`.
  [[nodiscard]] taken take(const frame& from_peer,
                           function_ref<void(std::span<const std::byte>)> arrived);

  /// Records that have been taken, for the peer to go on behind.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  /// How far the peer may send, counted in bytes of records since the session began.
  [[nodiscard]] std::uint64_t credit();
  void set_peer_credit(std::uint64_t bytes) { peer_credit_ = std::max(peer_credit_, bytes); }

  /// Bytes of records that the peer has acknowledged since the last call.
  [[nodiscard]] std::size_t take_released() { return std::exchange(released_, 0); }
  [[nodiscard]] bool all_acknowledged() const { return chunks_.empty(); }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }
  [[nodiscard]] std::size_t partial_bytes() const { return partial_.size(); }

 private:
  struct position {
    std::size_t chunk = 0;  ///< index in `chunks_`
    std::size_t offset = 0;
    std::uint64_t records = 0;  ///< before this place, since the session began
    std::uint64_t bytes = 0;
  };

  [[nodiscard]] std::size_t record_bytes_at(const position& at) const;
  void step_over(position& at, std::size_t record_bytes) const;
  void put_acknowledgement(frame_writer& to);
  [[nodiscard]] bool acknowledge(std::uint64_t peer_received);
  [[nodiscard]] std::string take_records(std::uint64_t first, field_reader& fields, taken& result,
                                         function_ref<void(std::span<const std::byte>)> arrived);

  const std::size_t window_bytes_;

  std::deque<link_bytes>
      chunks_;  // not acknowledged: from acknowledged_ on, sent_ somewhere within
  position acknowledged_;
  position sent_;
  std::uint64_t peer_credit_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t released_ = 0;

  std::uint64_t received_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t acknowledged_to_peer_ = 0;  // of received_bytes_
  std::uint64_t granted_bytes_;
  link_bytes partial_;  // the records so far of a message that goes on
};

}  // namespace microlith::internal
