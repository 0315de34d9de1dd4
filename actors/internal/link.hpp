#pragma once

// Links to other nodes: a named peer, and messages that reach it once and in order.
//
// A message is opaque bytes here. What a link promises while both processes live: every message
// that `send` took arrives exactly once, in the order of the calls of one thread, however often the
// connection between them breaks. When a process dies (`lost`), whether the last messages arrived
// is not known. Memory is bounded: past its bound `send` says so instead of keeping more.

#include <microlith/messages/identity.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace microlith::internal {

/// The longest message: a body of 16 MiB in its envelope. A longer one is never taken.
inline constexpr std::size_t max_link_message_bytes = (std::size_t{16} << 20) + (64 << 10);

enum class sent : std::uint8_t {
  taken,
  overloaded,   ///< the peer does not keep up: nothing was kept, nothing will arrive
  unreachable,  ///< never joined, or interrupted or lost: nothing was kept, nothing will arrive
};

/// What happens on links. Called one at a time for one peer, from a thread of the links; must not
/// block. For one peer the order is: joined, then arrived, interrupted and resumed in any number,
/// then lost, then joined again.
class link_events {
 public:
  virtual ~link_events() = default;

  /// A process has taken the place of this peer. `incarnation` tells processes of one name apart.
  virtual void joined(const std::string& peer, message_id incarnation) = 0;
  /// The next message.
  virtual void arrived(const std::string& peer, std::span<const std::byte> message) = 0;
  /// Nothing more has arrived together with the last message: whoever gathered some goes on with
  /// them. Comes after every message, at the latest before anything else of the peer does.
  virtual void all_arrived(const std::string& /*peer*/) {}
  /// The peer is cut off or silent. It may come back: nothing that was taken is lost yet.
  virtual void interrupted(const std::string& peer, const std::string& why) = 0;
  virtual void resumed(const std::string& peer) = 0;
  /// The process is gone, or was away for too long: what it did not acknowledge may never arrive.
  virtual void lost(const std::string& peer, const std::string& why) = 0;
};

/// How a link is at this moment, for people.
struct link_status {
  std::string peer;
  std::string address;
  bool connected = false;
  std::string problem;                     ///< why not
  std::uint64_t messages_sent = 0;         ///< taken by `send` since the peer joined
  std::uint64_t messages_received = 0;     ///< handed to `arrived` since the peer joined
  std::uint64_t unacknowledged_bytes = 0;  ///< kept until the peer has them
  double round_trip_us = 0;                ///< of the last heartbeat; 0: none yet
  std::uint64_t reconnects = 0;
};

class links {
 public:
  virtual ~links() = default;

  /// Begins to listen and to dial. Until then nothing is called.
  virtual void start(link_events& to) = 0;
  /// Any thread; never blocks.
  [[nodiscard]] virtual sent send(const std::string& peer, std::span<const std::byte> message) = 0;
  [[nodiscard]] virtual std::vector<link_status> status() const = 0;
  /// Sends what was taken, for a moment, then closes. Afterwards nothing is called any more.
  virtual void stop() = 0;
};

}  // namespace microlith::internal
