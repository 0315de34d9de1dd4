#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/index_layout.hpp>

namespace microlith::internal {

namespace {

constexpr std::size_t state_head_bytes = 72;
constexpr std::size_t state_run_bytes = 16;

}  // namespace

bytes encode_state(const index_state& state) {
  bytes out(state_head_bytes + state.runs.size() * state_run_bytes);
  auto* p = out.data();
  store_le(p + 8, index_format);
  store_le(p + 12, state.filter_layers);
  store_id_le(p + 16, state.epoch);
  store_le(p + 32, state.checkpoint);
  store_le(p + 40, state.next_sequence);
  store_le(p + 48, state.filter_added);
  store_le(p + 56, state.reach);
  store_le(p + 64, std::uint64_t{state.runs.size()});
  p += state_head_bytes;
  for (const auto& run : state.runs) {
    store_le(p, run.level);
    store_le(p + 4, run.slot);
    store_le(p + 8, run.sequence);
    p += state_run_bytes;
  }
  store_le(out.data(), checksum(std::span<const std::byte>{out}.subspan(8), 0));
  return out;
}

index_state decode_state(std::span<const std::byte> in) {
  index_state state;
  if (in.size() < state_head_bytes ||
      load_le<std::uint64_t>(in.data()) != checksum(in.subspan(8), 0))
    throw index_unusable{"the state of the index is damaged"};
  const auto* p = in.data();
  state.filter_layers = load_le<std::uint32_t>(p + 12);
  state.epoch = load_id_le<message_id>(p + 16);
  state.checkpoint = load_le<std::uint64_t>(p + 32);
  state.next_sequence = load_le<std::uint64_t>(p + 40);
  state.filter_added = load_le<std::uint64_t>(p + 48);
  state.reach = load_le<std::uint64_t>(p + 56);
  auto count = load_le<std::uint64_t>(p + 64);
  if (load_le<std::uint32_t>(p + 8) != index_format)
    throw index_unusable{"the index has another format"};
  if (in.size() != state_head_bytes + count * state_run_bytes)
    throw index_unusable{"the state of the index is cut"};
  for (p += state_head_bytes; count-- > 0; p += state_run_bytes) {
    index_run run{load_le<std::uint32_t>(p), load_le<std::uint32_t>(p + 4),
                  load_le<std::uint64_t>(p + 8)};
    if (run.level >= merged_index::levels || run.slot >= merged_index::slots_per_level)
      throw index_unusable{"the state of the index names a run that cannot be"};
    state.runs.push_back(run);
  }
  return state;
}

}  // namespace microlith::internal
