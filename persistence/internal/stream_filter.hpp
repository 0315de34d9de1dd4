#pragma once

// Which streams the index on disk may hold: a Bloom filter, so that the first event of a new stream
// need not search the disk for older ones.
//
// Blocked (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007): all
// bits of a key lie in one cache line. It grows by adding larger layers, and is kept in pages that
// are written when they have changed. About 12 bits a stream, one wrong "maybe" in a hundred and
// fewer.
//
// `add` and `take_changed` belong to the merging thread; `may_hold` may run meanwhile on any thread
// and sees at least what was added before it was last synchronized with that thread.

#include <microlith/persistence/internal/slot_memory.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace microlith::internal {

class stream_filter {
 public:
  static constexpr std::size_t page_bytes = 4032;  // with LMDB's header exactly one page of 4096
  static constexpr std::size_t max_layers = 16;

  stream_filter();

  void add(const stream_key& stream);
  [[nodiscard]] bool may_hold(const stream_key& stream) const;
  void prefetch(const stream_key& stream) const;
  void prefetch_to_add(const stream_key& stream) const;

  struct page_id {
    std::uint32_t layer = 0;
    std::uint32_t page = 0;
  };
  /// Pages that have changed since they were last taken.
  [[nodiscard]] std::vector<page_id> changed() const;
  void all_written();
  void copy_page(page_id id, std::span<std::byte> out) const;
  /// False where there is no such page.
  [[nodiscard]] bool load_page(page_id id, std::span<const std::byte> data);
  /// Number of keys in the newest layer, to be kept and loaded beside the pages.
  [[nodiscard]] std::uint64_t added() const { return added_; }
  void set_added(std::uint64_t added) { added_ = added; }
  [[nodiscard]] std::size_t layer_count() const {
    return layer_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::size_t page_count(std::size_t layer) const { return layers_[layer]->pages; }
  /// Adds empty layers up to this number.
  void add_layers(std::size_t count);
  [[nodiscard]] std::size_t size_bytes() const;

 private:
  struct layer {
    explicit layer(std::size_t keys);
    std::size_t capacity;
    std::size_t pages;
    std::size_t blocks;
    slots<std::atomic<std::uint64_t>> words;
    std::vector<bool> changed;
  };
  struct probe {
    std::size_t first_word;
    std::uint64_t bits;
  };
  static probe probe_of(const layer& l, const stream_key& stream);
  static bool holds(const layer& l, const stream_key& stream);

  // Fixed slots, so that readers need no lock while a layer is added.
  std::unique_ptr<layer> layers_[max_layers];
  std::atomic<std::size_t> layer_count_{0};
  std::uint64_t added_ = 0;
};

}  // namespace microlith::internal
