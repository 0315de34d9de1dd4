#pragma once

// What a projection's store writes of itself into its environment; drawn in README.md. Decoding
// trusts nothing. Free functions; any thread.

#include <microlith/messages/identity.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace microlith::internal {

inline constexpr std::uint32_t projection_format = 1;
inline constexpr const char* projection_table_name = "projection";
inline constexpr std::string_view projection_state_key = "state";
/// Each table is there twice: "a.NAME" is read while "b.NAME" is filled, or the other way round.
inline constexpr std::size_t projection_banks = 2;

/// A file of this name in its folder: it is to be rebuilt at the next start.
inline constexpr const char* rebuild_mark = "rebuild";

struct projection_state {
  message_id epoch;
  std::uint64_t fingerprint = 0;  ///< of the definition
  std::uint64_t checkpoint = 0;
  std::uint64_t bank = 0;
};

[[nodiscard]] std::array<std::byte, 56> encode_projection_state(const projection_state& state);
/// Absent where it is not what was written.
[[nodiscard]] std::optional<projection_state> decode_projection_state(
    std::span<const std::byte> in);

}  // namespace microlith::internal
