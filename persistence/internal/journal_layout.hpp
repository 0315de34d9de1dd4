#pragma once

// What a journal writes of itself into its environment's main table, and the names in there; drawn
// in README.md. Decoding trusts nothing. Free functions; any thread.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace microlith::internal {

inline constexpr std::uint32_t journal_format = 1;
// Plain keys of LMDB's main table, beside the names of tables: that page is written by every commit
// anyway.
inline constexpr std::string_view journal_meta_key = "microlith.meta";
inline constexpr std::string_view journal_state_key = "microlith.state";
inline constexpr const char* records_table_name = "records";
inline constexpr const char* types_table_name = "types";

/// Written once.
struct journal_meta {
  std::uint32_t format = journal_format;
  message_id epoch;
  name_secret secret{};
};

/// Written by every commit.
struct journal_state {
  std::uint64_t last_position = 0;
  std::uint64_t running_hash = 0;  ///< of all records' checksums
};

[[nodiscard]] std::array<std::byte, 32 + sizeof(name_secret)> encode_meta(const journal_meta& meta);
[[nodiscard]] std::array<std::byte, 24> encode_journal_state(const journal_state& state);

// Absent where the size or the checksum does not fit.
[[nodiscard]] std::optional<journal_meta> decode_meta(std::span<const std::byte> in);
[[nodiscard]] std::optional<journal_state> decode_journal_state(std::span<const std::byte> in);

}  // namespace microlith::internal
