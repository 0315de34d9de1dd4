#pragma once

// The bytes of a record; drawn in README.md. Encoding appends nothing but the record to an empty
// buffer; decoding trusts nothing: every size is checked against the bytes that are there, and the
// checksum, which covers the position too, comes first. Free functions; any thread.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/envelope.hpp>
#include <microlith/persistence/record.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace microlith::internal {

inline constexpr std::uint8_t record_layout_version = 1;

/// What a record says that its envelope does not.
struct record_place {
  std::uint64_t position = 0;
  std::uint64_t stream_version = 0;
  std::string_view stream;
  message_id append;
  std::uint32_t type = 0;
};

/// Returns the checksum, which is also the record's first eight bytes.
std::uint64_t encode_record(bytes& out, const record_place& place, const envelope& message,
                            std::span<const std::byte> facts);

struct parsed_record {
  record_view view;
  std::uint32_t type = 0;
  std::uint64_t checksum = 0;
};

/// Null where the record is whole, otherwise what is wrong with it.
[[nodiscard]] const char* parse_record(std::uint64_t position, std::span<const std::byte> data,
                                       parsed_record& out);

/// Origin, principal and headers; empty where there are none of them.
void encode_facts(bytes& out, const conversation_facts& facts);

/// One number that stands for all records up to one: changes when any of them does.
[[nodiscard]] constexpr std::uint64_t extend_running_hash(std::uint64_t running,
                                                          std::uint64_t record_checksum) {
  auto mixed = (running ^ record_checksum) * 0x9E3779B97F4A7C15ULL;
  return (mixed << 29) | (mixed >> 35);
}

}  // namespace microlith::internal
