#pragma once

// The bytes of a snapshot; drawn in README.md. Decoding trusts nothing. Free functions; any thread.

#include <microlith/persistence/snapshot_store.hpp>

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace microlith::internal {

inline constexpr std::uint32_t snapshot_format = 1;
inline constexpr std::string_view snapshot_state_key = "state";

using snapshot_key = std::array<std::byte, 16>;
[[nodiscard]] snapshot_key encode_snapshot_key(std::string_view stream);

[[nodiscard]] bytes encode_snapshot(const snapshot& kept);
/// Absent where it is not what was written.
[[nodiscard]] std::optional<snapshot> decode_snapshot(std::span<const std::byte> value);

/// The epoch of the journal that the snapshots are of.
[[nodiscard]] std::array<std::byte, 32> encode_snapshot_state(message_id epoch);
[[nodiscard]] std::optional<message_id> decode_snapshot_state(std::span<const std::byte> value);

}  // namespace microlith::internal
