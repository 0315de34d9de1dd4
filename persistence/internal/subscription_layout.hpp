#pragma once

// The bytes that a durable subscription keeps; drawn in README.md. Decoding trusts nothing. Free
// functions; any thread.

#include <microlith/persistence/internal/stream_key.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace microlith::internal {

inline constexpr std::uint32_t subscription_format = 1;
inline constexpr std::string_view subscription_state_key = "state";

struct subscription_state {
  message_id epoch;  ///< of the journal
  std::uint64_t checkpoint = 0;
  message_id event;      ///< at the checkpoint
  name_secret secret{};  ///< keys are hashed with it

  friend bool operator==(const subscription_state&, const subscription_state&) = default;
};

inline constexpr std::size_t subscription_state_bytes = 56 + sizeof(name_secret);
[[nodiscard]] std::array<std::byte, subscription_state_bytes> encode_subscription_state(
    const subscription_state& state);
[[nodiscard]] std::optional<subscription_state> decode_subscription_state(
    std::span<const std::byte> in);

using held_key_id = std::array<std::byte, 16>;
[[nodiscard]] held_key_id encode_held_key_id(std::string_view key, const name_secret& secret);
[[nodiscard]] bytes encode_held_key(const held_key& held);
[[nodiscard]] std::optional<held_key> decode_held_key(std::span<const std::byte> in);

using held_event_id = std::array<std::byte, 24>;
[[nodiscard]] held_event_id encode_held_event_id(const held_key_id& key, std::uint64_t position);
[[nodiscard]] std::array<std::byte, 8> encode_held_event(const held_event_id& id);
/// The position; absent where it is not what was written.
[[nodiscard]] std::optional<std::uint64_t> decode_held_event(std::span<const std::byte> id,
                                                             std::span<const std::byte> value);

}  // namespace microlith::internal
