#pragma once

// The name of a stream, hashed to 128 bits: what the indexes hold instead of the name.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace microlith::internal {

/// Random bytes, made with the journal.
using name_secret = std::array<std::byte, 192>;

struct stream_key {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  /// Of the empty name: no stream.
  [[nodiscard]] constexpr bool empty() const { return high == 0 && low == 0; }
  friend constexpr auto operator<=>(const stream_key&, const stream_key&) = default;
};

/// For hash tables: it is a hash already.
struct stream_key_hash {
  std::size_t operator()(const stream_key& key) const {
    return static_cast<std::size_t>(key.high ^ key.low);
  }
};

}  // namespace microlith::internal
