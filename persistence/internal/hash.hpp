#pragma once

// XXH3 (https://xxhash.com), inlined: checksums of records and rows, hashes of stream names. For
// .cpp files of persistence/ only. Not cryptographic; names are hashed with a secret of their
// journal, so that nobody can choose names that meet.

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <microlith/persistence/internal/stream_key.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace microlith::internal {

[[nodiscard]] inline std::uint64_t checksum(std::span<const std::byte> data, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

[[nodiscard]] inline stream_key hash_stream(std::string_view name, const name_secret& secret) {
  auto hash = XXH3_128bits_withSecret(name.data(), name.size(), secret.data(), secret.size());
  return {hash.high64, hash.low64};
}

/// Where the name itself is looked at, too: two that meet do no harm.
[[nodiscard]] inline stream_key hash_name(std::string_view name) {
  auto hash = XXH3_128bits(name.data(), name.size());
  return {hash.high64, hash.low64};
}

}  // namespace microlith::internal
