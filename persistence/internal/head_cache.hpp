#pragma once

// The last versions of streams whose newest events are in the index on disk: a bounded cache, so
// that appending to a stream that is busy now and then need not search the disk.
//
// Four ways a set; the entry that was written longest ago makes room. It becomes twice as
// large when half of it is used, up to its bound. Not thread-safe: event_index guards it.

#include <microlith/persistence/internal/slot_memory.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace microlith::internal {

struct stream_head {
  std::uint64_t version = 0;
  std::uint64_t position = 0;
};

class head_cache {
 public:
  explicit head_cache(std::size_t max_streams);

  /// Null where it is not known.
  [[nodiscard]] const stream_head* find(const stream_key& stream) const;
  void put(const stream_key& stream, stream_head head);
  void prefetch(const stream_key& stream) const {
    const auto* entries = sets_[set_of(stream)].entries.data();
    __builtin_prefetch(entries);
    __builtin_prefetch(entries + ways / 2);
  }

 private:
  static constexpr std::size_t ways = 4;
  struct entry {
    stream_key stream;
    stream_head head;
  };
  // Newest first.
  struct alignas(64) set {
    std::array<entry, ways> entries{};
  };

  void grow();
  [[nodiscard]] std::size_t set_of(const stream_key& stream) const {
    return static_cast<std::size_t>(stream.high) & (set_count_ - 1);
  }

  std::size_t max_sets_;
  std::size_t set_count_;
  std::size_t used_ = 0;
  slots<set> sets_;
};

}  // namespace microlith::internal
