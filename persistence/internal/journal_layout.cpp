#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/journal_layout.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

bool is_whole(std::span<const std::byte> in, std::size_t size) {
  return in.size() == size && load_le<std::uint64_t>(in.data()) == checksum(in.subspan(8), 0);
}

}  // namespace

std::array<std::byte, 32 + sizeof(name_secret)> encode_meta(const journal_meta& meta) {
  std::array<std::byte, 32 + sizeof(name_secret)> out{};
  store_le(out.data() + 8, meta.format);
  store_id_le(out.data() + 16, meta.epoch);
  std::copy(meta.secret.begin(), meta.secret.end(), out.begin() + 32);
  store_le(out.data(), checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

std::array<std::byte, 24> encode_journal_state(const journal_state& state) {
  std::array<std::byte, 24> out;
  store_le(out.data() + 8, state.last_position);
  store_le(out.data() + 16, state.running_hash);
  store_le(out.data(), checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

std::optional<journal_meta> decode_meta(std::span<const std::byte> in) {
  if (!is_whole(in, 32 + sizeof(name_secret)))
    return std::nullopt;
  journal_meta meta;
  meta.format = load_le<std::uint32_t>(in.data() + 8);
  meta.epoch = load_id_le<message_id>(in.data() + 16);
  std::copy_n(in.begin() + 32, meta.secret.size(), meta.secret.begin());
  return meta;
}

std::optional<journal_state> decode_journal_state(std::span<const std::byte> in) {
  if (!is_whole(in, 24))
    return std::nullopt;
  return journal_state{load_le<std::uint64_t>(in.data() + 8),
                       load_le<std::uint64_t>(in.data() + 16)};
}

}  // namespace microlith::internal
