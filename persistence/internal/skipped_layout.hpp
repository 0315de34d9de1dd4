#pragma once

// The bytes of a record of a skipped event; drawn in README.md. Decoding trusts nothing. Free
// functions; any thread.

#include <microlith/messages/codec.hpp>
#include <microlith/persistence/projection_rows.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace microlith::internal {

/// What is kept of an error text.
inline constexpr std::size_t max_skip_reason_bytes = 1000;

/// By position, then by projection within the group.
using skipped_key = std::array<std::byte, 10>;
[[nodiscard]] skipped_key encode_skipped_key(std::uint64_t position, std::uint16_t member);

[[nodiscard]] bytes encode_skipped(const skipped_event& event);
/// Absent where it is not what was written under this key.
[[nodiscard]] std::optional<skipped_event> decode_skipped(std::span<const std::byte> key,
                                                          std::span<const std::byte> value);

}  // namespace microlith::internal
