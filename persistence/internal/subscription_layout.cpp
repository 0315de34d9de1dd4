#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

constexpr std::size_t held_header_bytes = 40;

}  // namespace

std::array<std::byte, subscription_state_bytes> encode_subscription_state(
    const subscription_state& state) {
  std::array<std::byte, subscription_state_bytes> out{};
  auto* p = out.data();
  store_le(p + 8, subscription_format);
  store_id_le(p + 16, state.epoch);
  store_le(p + 32, state.checkpoint);
  store_id_le(p + 40, state.event);
  std::copy(state.secret.begin(), state.secret.end(), p + 56);
  store_le(p, checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

std::optional<subscription_state> decode_subscription_state(std::span<const std::byte> in) {
  const auto* p = in.data();
  if (in.size() != subscription_state_bytes ||
      load_le<std::uint64_t>(p) != checksum(in.subspan(8), 0) ||
      load_le<std::uint32_t>(p + 8) != subscription_format)
    return std::nullopt;
  subscription_state state{.epoch = load_id_le<message_id>(p + 16),
                           .checkpoint = load_le<std::uint64_t>(p + 32),
                           .event = load_id_le<message_id>(p + 40)};
  std::copy_n(p + 56, state.secret.size(), state.secret.begin());
  return state;
}

held_key_id encode_held_key_id(std::string_view key, const name_secret& secret) {
  held_key_id id;
  store_id_be(id.data(), hash_stream(key, secret));
  return id;
}

bytes encode_held_key(const held_key& held) {
  auto why = std::string_view{held.why}.substr(0, max_subscription_key_bytes);
  bytes out(held_header_bytes + held.key.size() + why.size());
  auto* p = out.data();
  store_le(p + 8, subscription_format);
  store_le(p + 12, static_cast<std::uint16_t>(held.parked ? 1 : 0));
  store_le(p + 14, static_cast<std::uint16_t>(held.key.size()));
  store_le(p + 16, std::uint64_t{held.attempts});
  store_le(p + 24, held.events);
  store_le(p + 32, static_cast<std::uint64_t>(held.since.time_since_epoch().count()));
  auto append = [at = p + held_header_bytes](std::string_view text) mutable {
    auto raw = std::as_bytes(std::span{text.data(), text.size()});
    at = std::copy(raw.begin(), raw.end(), at);
  };
  append(held.key);
  append(why);
  store_le(p, checksum(std::span{out}.subspan(8), 0));
  return out;
}

std::optional<held_key> decode_held_key(std::span<const std::byte> in) {
  if (in.size() < held_header_bytes)
    return std::nullopt;
  const auto* p = in.data();
  auto key_bytes = load_le<std::uint16_t>(p + 14);
  if (load_le<std::uint64_t>(p) != checksum(in.subspan(8), 0) ||
      load_le<std::uint32_t>(p + 8) != subscription_format ||
      key_bytes > in.size() - held_header_bytes)
    return std::nullopt;
  std::string_view text{reinterpret_cast<const char*>(p + held_header_bytes),
                        in.size() - held_header_bytes};
  return held_key{.key = std::string{text.substr(0, key_bytes)},
                  .parked = load_le<std::uint16_t>(p + 12) != 0,
                  .attempts = static_cast<unsigned>(load_le<std::uint64_t>(p + 16)),
                  .events = load_le<std::uint64_t>(p + 24),
                  .since = wall_time{std::chrono::microseconds{
                      static_cast<std::int64_t>(load_le<std::uint64_t>(p + 32))}},
                  .why = std::string{text.substr(key_bytes)}};
}

held_event_id encode_held_event_id(const held_key_id& key, std::uint64_t position) {
  held_event_id id;
  std::copy(key.begin(), key.end(), id.begin());
  store_be(id.data() + key.size(), position);
  return id;
}

std::array<std::byte, 8> encode_held_event(const held_event_id& id) {
  std::array<std::byte, 8> value;
  store_le(value.data(), checksum(id, 0));
  return value;
}

std::optional<std::uint64_t> decode_held_event(std::span<const std::byte> id,
                                               std::span<const std::byte> value) {
  if (id.size() != std::tuple_size_v<held_event_id> || value.size() != 8 ||
      load_le<std::uint64_t>(value.data()) != checksum(id, 0))
    return std::nullopt;
  return load_be<std::uint64_t>(id.data() + std::tuple_size_v<held_key_id>);
}

}  // namespace microlith::internal
