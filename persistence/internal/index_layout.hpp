#pragma once

// The bytes of the index on disk: its keys, and its state. Free functions; any thread.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/merged_index.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace microlith::internal {

inline constexpr std::uint32_t index_format = 2;
inline constexpr std::string_view index_state_key = "state";

/// A stream, then a version; big-endian, so that a stream's versions lie in a row.
inline constexpr std::size_t run_key_bytes = 24;
/// A correlation, then a position.
inline constexpr std::size_t correlation_key_bytes = 24;

using run_key = std::array<std::byte, run_key_bytes>;

inline run_key key_of(const stream_key& stream, std::uint64_t version) {
  run_key key;
  store_id_be(key.data(), stream);
  store_be(key.data() + id_bytes, version);
  return key;
}

template <class Id>
std::array<std::byte, id_bytes> id_key(const Id& id) {
  std::array<std::byte, id_bytes> key;
  store_id_be(key.data(), id);
  return key;
}

inline bool same_stream(std::span<const std::byte> key, const run_key& wanted) {
  return key.size() == run_key_bytes && std::memcmp(key.data(), wanted.data(), id_bytes) == 0;
}

/// Everything that changes with a merge; one value, so that it changes at once.
struct index_state {
  std::uint32_t filter_layers = 0;
  message_id epoch;
  std::uint64_t checkpoint = 0;
  std::uint64_t reach = 0;  ///< see merged_index::reach
  std::uint64_t next_sequence = 0;
  std::uint64_t filter_added = 0;
  std::vector<index_run> runs;
};

[[nodiscard]] bytes encode_state(const index_state& state);
/// Throws index_unusable where it is not what was written.
[[nodiscard]] index_state decode_state(std::span<const std::byte> in);

}  // namespace microlith::internal
