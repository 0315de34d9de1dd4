#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/stream_filter.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

constexpr std::size_t words_per_block = 8;  // one cache line
constexpr std::size_t block_bytes = words_per_block * 8;
constexpr std::size_t blocks_per_page = stream_filter::page_bytes / block_bytes;
constexpr std::size_t words_per_page = blocks_per_page * words_per_block;
constexpr std::size_t bits_per_key = 12;
constexpr unsigned bits_set_per_key = 6;
constexpr std::size_t first_layer_keys = std::size_t{1} << 15;
constexpr unsigned layer_growth = 4;
static_assert(blocks_per_page * block_bytes == stream_filter::page_bytes);

std::size_t layer_keys(std::size_t layer) {
  std::size_t keys = first_layer_keys;
  while (layer-- > 0)
    keys *= layer_growth;
  return keys;
}

}  // namespace

stream_filter::layer::layer(std::size_t keys)
    : capacity{keys},
      pages{(keys * bits_per_key / 8 + page_bytes - 1) / page_bytes},
      blocks{pages * blocks_per_page},
      words{make_slots<std::atomic<std::uint64_t>>(blocks * words_per_block)},
      changed(pages) {}

stream_filter::stream_filter() {
  add_layers(1);
}

void stream_filter::add_layers(std::size_t count) {
  for (auto have = layer_count(); have < std::min(count, max_layers); ++have) {
    layers_[have] = std::make_unique<layer>(layer_keys(have));
    layer_count_.store(have + 1, std::memory_order_release);
    added_ = 0;
  }
}

stream_filter::probe stream_filter::probe_of(const layer& l, const stream_key& stream) {
  // The high bits of a product spread over the blocks; the low half of the key gives the bits.
  auto block = static_cast<std::size_t>(((stream.high >> 32) * l.blocks) >> 32);
  return {block * words_per_block, stream.low};
}

bool stream_filter::holds(const layer& l, const stream_key& stream) {
  auto p = probe_of(l, stream);
  // All bits, whichever is missing: nobody could foretell after how many to stop.
  std::uint64_t all = 1;
  for (unsigned i = 0; i < bits_set_per_key; ++i, p.bits >>= 9) {
    auto bit = p.bits & 511;
    all &= l.words[p.first_word + bit / 64].load(std::memory_order_relaxed) >> (bit % 64);
  }
  return (all & 1) != 0;
}

void stream_filter::add(const stream_key& stream) {
  auto last = layer_count() - 1;
  if (added_ >= layers_[last]->capacity && last + 1 < max_layers)
    add_layers(++last + 1);
  auto& l = *layers_[last];
  auto p = probe_of(l, stream);
  l.changed[p.first_word / words_per_page] = true;
  for (unsigned i = 0; i < bits_set_per_key; ++i, p.bits >>= 9) {
    auto bit = p.bits & 511;
    // One thread writes: no need for an atomic change, which takes much longer.
    auto& word = l.words[p.first_word + bit / 64];
    word.store(word.load(std::memory_order_relaxed) | std::uint64_t{1} << (bit % 64),
               std::memory_order_relaxed);
  }
  ++added_;
}

bool stream_filter::may_hold(const stream_key& stream) const {
  for (auto i = layer_count(); i-- > 0;) {
    if (holds(*layers_[i], stream))
      return true;
  }
  return false;
}

void stream_filter::prefetch(const stream_key& stream) const {
  for (auto i = layer_count(); i-- > 0;)
    __builtin_prefetch(&layers_[i]->words[probe_of(*layers_[i], stream).first_word]);
}

void stream_filter::prefetch_to_add(const stream_key& stream) const {
  const auto& newest = *layers_[layer_count() - 1];
  __builtin_prefetch(&newest.words[probe_of(newest, stream).first_word], 1);
}

std::vector<stream_filter::page_id> stream_filter::changed() const {
  std::vector<page_id> pages;
  for (std::size_t i = 0; i < layer_count(); ++i) {
    for (std::size_t page = 0; page < layers_[i]->pages; ++page) {
      if (layers_[i]->changed[page])
        pages.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(page)});
    }
  }
  return pages;
}

void stream_filter::all_written() {
  for (std::size_t i = 0; i < layer_count(); ++i)
    layers_[i]->changed.assign(layers_[i]->pages, false);
}

void stream_filter::copy_page(page_id id, std::span<std::byte> out) const {
  const auto* words = &layers_[id.layer]->words[id.page * words_per_page];
  for (std::size_t i = 0; i < words_per_page; ++i)
    store_le(out.data() + 8 * i, words[i].load(std::memory_order_relaxed));
}

bool stream_filter::load_page(page_id id, std::span<const std::byte> data) {
  if (id.layer >= layer_count() || id.page >= layers_[id.layer]->pages || data.size() != page_bytes)
    return false;
  auto* words = &layers_[id.layer]->words[id.page * words_per_page];
  for (std::size_t i = 0; i < words_per_page; ++i)
    words[i].store(load_le<std::uint64_t>(data.data() + 8 * i), std::memory_order_relaxed);
  return true;
}

std::size_t stream_filter::size_bytes() const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < layer_count(); ++i)
    bytes += layers_[i]->pages * page_bytes;
  return bytes;
}

}  // namespace microlith::internal
