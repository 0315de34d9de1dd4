#pragma once

// What stands before every row. For .cpp files of persistence/ only.

#include <microlith/persistence/internal/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace microlith::internal {

inline constexpr std::size_t row_checksum_bytes = 4;

/// Covers the key, too: a row that turns up under another key is as wrong as a changed one.
[[nodiscard]] inline std::uint32_t row_checksum(std::span<const std::byte> key,
                                                std::span<const std::byte> row) {
  return static_cast<std::uint32_t>(checksum(row, checksum(key, 0)));
}

}  // namespace microlith::internal
