#pragma once

// Records: what numbered frames carry. A message is one record, or several if it is long.
//
//   u32 size of the bytes * 2 + (1 if the message goes on in the next record) | bytes

#include <microlith/actors/internal/link/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace microlith::internal {

inline constexpr std::size_t record_prefix_bytes = 4;

struct record_prefix {
  std::size_t size_bytes = 0;  ///< without the prefix
  bool goes_on = false;
};

[[nodiscard]] inline record_prefix load_record_prefix(const std::byte* from) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < record_prefix_bytes; ++i)
    word |= static_cast<std::uint32_t>(from[i]) << (8 * i);
  return {word >> 1, (word & 1) != 0};
}

[[nodiscard]] inline std::size_t records_of(std::size_t message_bytes) {
  return message_bytes == 0 ? 1 : (message_bytes + max_record_bytes - 1) / max_record_bytes;
}

/// What a message takes as records.
[[nodiscard]] inline std::size_t recorded_bytes(std::size_t message_bytes) {
  return message_bytes + records_of(message_bytes) * record_prefix_bytes;
}

inline void append_records(std::vector<std::byte>& to, std::span<const std::byte> message) {
  do {
    auto part = message.first(std::min(message.size(), max_record_bytes));
    message = message.subspan(part.size());
    auto word = static_cast<std::uint32_t>(part.size() << 1 | (message.empty() ? 0U : 1U));
    std::byte prefix[record_prefix_bytes];
    for (std::size_t i = 0; i < record_prefix_bytes; ++i)
      prefix[i] = static_cast<std::byte>(word >> (8 * i));
    to.insert(to.end(), prefix, prefix + record_prefix_bytes);
    to.insert(to.end(), part.begin(), part.end());
  } while (!message.empty());
}

}  // namespace microlith::internal
