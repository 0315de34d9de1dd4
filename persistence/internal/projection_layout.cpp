#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>

namespace microlith::internal {

std::array<std::byte, 56> encode_projection_state(const projection_state& state) {
  std::array<std::byte, 56> out{};
  auto* p = out.data();
  store_le(p + 8, projection_format);
  store_id_le(p + 16, state.epoch);
  store_le(p + 32, state.fingerprint);
  store_le(p + 40, state.checkpoint);
  store_le(p + 48, state.bank);
  store_le(p, checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

std::optional<projection_state> decode_projection_state(std::span<const std::byte> in) {
  const auto* p = in.data();
  if (in.size() != 56 || load_le<std::uint64_t>(p) != checksum(in.subspan(8), 0) ||
      load_le<std::uint32_t>(p + 8) != projection_format ||
      load_le<std::uint64_t>(p + 48) >= projection_banks)
    return std::nullopt;
  return projection_state{.epoch = load_id_le<message_id>(p + 16),
                          .fingerprint = load_le<std::uint64_t>(p + 32),
                          .checkpoint = load_le<std::uint64_t>(p + 40),
                          .bank = load_le<std::uint64_t>(p + 48)};
}

}  // namespace microlith::internal
