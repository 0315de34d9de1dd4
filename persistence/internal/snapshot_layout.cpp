#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/snapshot_layout.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

constexpr std::size_t snapshot_header_bytes = 48;

}  // namespace

snapshot_key encode_snapshot_key(std::string_view stream) {
  snapshot_key key;
  store_id_be(key.data(), hash_name(stream));
  return key;
}

bytes encode_snapshot(const snapshot& kept) {
  bytes out(snapshot_header_bytes + kept.stream.size() + kept.state.size());
  auto* p = out.data();
  store_le(p + 8, snapshot_format);
  store_le(p + 12, static_cast<std::uint32_t>(kept.stream.size()));
  store_le(p + 16, kept.fingerprint);
  store_le(p + 24, kept.version);
  store_id_le(p + 32, kept.event);
  auto name = std::as_bytes(std::span{kept.stream.data(), kept.stream.size()});
  auto* end = std::copy(name.begin(), name.end(), p + snapshot_header_bytes);
  std::copy(kept.state.begin(), kept.state.end(), end);
  store_le(p, checksum(std::span{out}.subspan(8), 0));
  return out;
}

std::optional<snapshot> decode_snapshot(std::span<const std::byte> value) {
  if (value.size() < snapshot_header_bytes)
    return std::nullopt;
  const auto* p = value.data();
  auto name_bytes = load_le<std::uint32_t>(p + 12);
  if (load_le<std::uint64_t>(p) != checksum(value.subspan(8), 0) ||
      load_le<std::uint32_t>(p + 8) != snapshot_format ||
      name_bytes > value.size() - snapshot_header_bytes)
    return std::nullopt;
  auto state = value.subspan(snapshot_header_bytes + name_bytes);
  return snapshot{
      .stream = std::string{reinterpret_cast<const char*>(p + snapshot_header_bytes), name_bytes},
      .version = load_le<std::uint64_t>(p + 24),
      .event = load_id_le<message_id>(p + 32),
      .fingerprint = load_le<std::uint64_t>(p + 16),
      .state = {state.begin(), state.end()}};
}

std::array<std::byte, 32> encode_snapshot_state(message_id epoch) {
  std::array<std::byte, 32> out{};
  store_le(out.data() + 8, snapshot_format);
  store_id_le(out.data() + 16, epoch);
  store_le(out.data(), checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

std::optional<message_id> decode_snapshot_state(std::span<const std::byte> value) {
  if (value.size() != 32 || load_le<std::uint64_t>(value.data()) != checksum(value.subspan(8), 0) ||
      load_le<std::uint32_t>(value.data() + 8) != snapshot_format)
    return std::nullopt;
  return load_id_le<message_id>(value.data() + 16);
}

}  // namespace microlith::internal
