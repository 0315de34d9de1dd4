#pragma once

// The bounds of links, in one place. Those that a node may choose are in link_options.hpp.

#include <microlith/actors/internal/link.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace microlith::internal {

/// What both ends must speak; the first bytes of a hello say so in every version.
inline constexpr std::uint32_t link_protocol_version = 1;

/// Header included. A longer one is refused as soon as its length is known.
inline constexpr std::size_t max_frame_bytes = 1 << 20;
/// Of a peer that has not proven who it is.
inline constexpr std::size_t max_handshake_frame_bytes = 1'024;

/// A message that is longer travels in several records.
inline constexpr std::size_t max_record_bytes = 256 << 10;
/// A frame of records is closed once it has so many bytes.
inline constexpr std::size_t batch_bytes = 64 << 10;
/// Waits in the connection's write buffer; what does not fit waits in the session, so that the
/// frames grow while the network is slow.
inline constexpr std::size_t max_unwritten_bytes = 256 << 10;
/// Read from a connection at once.
inline constexpr std::size_t read_bytes = 64 << 10;

/// The most that a peer may send and we have not taken.
inline constexpr std::size_t receive_window_bytes = 4 << 20;
/// Taken and not acknowledged while nothing is sent that would carry the acknowledgement.
inline constexpr std::size_t acknowledge_after_bytes = 64 << 10;
// Or a peer could wait for room, and we for more to acknowledge.
static_assert(receive_window_bytes > max_record_bytes + 2 * acknowledge_after_bytes);

inline constexpr std::size_t max_node_name_bytes = 64;
/// Connections of which it is not known yet whose they are; past it the oldest one makes room.
inline constexpr std::size_t max_unproven_connections = 64;

/// Callers of one name that may be there at once; each is a peer of its own.
inline constexpr std::size_t max_callers = 8;

/// From accepting or dialling until both know each other.
inline constexpr std::chrono::milliseconds handshake_limit{2'000};
/// A connection that breaks and is back within this time is not worth telling anyone.
inline constexpr std::chrono::milliseconds reconnect_grace{250};
inline constexpr std::chrono::milliseconds first_redial{20};
inline constexpr std::chrono::milliseconds last_redial{2'000};
/// A peer whose address was open, and then refuses every connection for so long, has no process
/// any more: one that lives listens.
inline constexpr std::chrono::milliseconds refusal_limit{500};
/// How often the address of a peer that dials itself is tried before it counts as another one's.
inline constexpr unsigned first_knocks = 4;
/// Heartbeats within the time after which a silent peer counts as cut off.
inline constexpr int beats_in_silence_limit = 5;

}  // namespace microlith::internal
