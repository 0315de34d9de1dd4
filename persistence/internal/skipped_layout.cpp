#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>

#include <string>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::uint32_t skipped_format = 1;
constexpr std::size_t skipped_header_bytes = 16;

}  // namespace

struct stored_skip {
  std::string projection;
  std::string type;
  message_id id;
  std::string why;
};
BOOST_DESCRIBE_STRUCT(stored_skip, (), (projection, type, id, why))

skipped_key encode_skipped_key(std::uint64_t position, std::uint16_t member) {
  skipped_key key{};
  store_be(key.data(), position);
  store_be(key.data() + 8, member);
  return key;
}

bytes encode_skipped(const skipped_event& event) {
  bytes out(skipped_header_bytes);
  encode_to(out, stored_skip{event.projection, event.type, event.id,
                             event.why.substr(0, max_skip_reason_bytes)});
  store_le(out.data() + 8, skipped_format);
  store_le(out.data() + 12, std::uint32_t{0});
  store_le(out.data(), checksum(std::span{out}.subspan(8), event.position));
  return out;
}

std::optional<skipped_event> decode_skipped(std::span<const std::byte> key,
                                            std::span<const std::byte> value) {
  if (key.size() != std::tuple_size_v<skipped_key> || value.size() < skipped_header_bytes)
    return std::nullopt;
  auto position = load_be<std::uint64_t>(key.data());
  if (load_le<std::uint64_t>(value.data()) != checksum(value.subspan(8), position) ||
      load_le<std::uint32_t>(value.data() + 8) != skipped_format)
    return std::nullopt;
  auto stored = decode<stored_skip>(value.subspan(skipped_header_bytes));
  if (!stored)
    return std::nullopt;
  return skipped_event{.position = position,
                       .projection = std::move(stored->projection),
                       .type = std::move(stored->type),
                       .id = stored->id,
                       .why = std::move(stored->why)};
}

}  // namespace microlith::internal
