#pragma once

// The streams that a plan will look up in the index, in the order in which it does. Known ahead, so
// that memory is asked for in time. For one thread; keeps its memory from one append to the next.

#include <microlith/persistence/internal/event_index.hpp>
#include <microlith/persistence/journal.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace microlith::internal {

struct planned_stream {
  stream_key key;
  bool may_be_merged = true;
};

class planned_streams {
 public:
  /// Those of all requests that are not decided: of each first its checks, then its events.
  void list(append_batch requests, const std::vector<bool>& decided, const name_secret& secret);

  [[nodiscard]] const planned_stream& next(event_index::batch& batch);
  /// How many there were.
  [[nodiscard]] std::size_t taken() const { return next_; }
  /// Passes over those of a request that has ended early.
  void skip_to(std::size_t taken) { next_ = taken; }

 private:
  // Far enough that memory has come, near enough that it is still in the nearest cache.
  static constexpr std::size_t streams_ahead = 16;
  static constexpr std::size_t filtered_ahead = 8;

  std::vector<planned_stream> all_;
  std::size_t next_ = 0;
  std::size_t prefetched_ = 0;
  std::size_t filtered_ = 0;
};

inline const planned_stream& planned_streams::next(event_index::batch& batch) {
  auto follows_itself = [&](std::size_t i) {
    return all_[i].key.empty() || (i > 0 && all_[i].key == all_[i - 1].key);
  };
  for (auto& i = prefetched_; i < std::min(next_ + streams_ahead, all_.size()); ++i) {
    if (!follows_itself(i))
      batch.prefetch(all_[i].key);
  }
  for (auto& i = filtered_; i < std::min(next_ + filtered_ahead, all_.size()); ++i) {
    if (follows_itself(i))
      all_[i].may_be_merged = i > 0 && all_[i - 1].may_be_merged;
    else
      all_[i].may_be_merged = batch.may_be_merged(all_[i].key);
  }
  return all_[next_++];
}

}  // namespace microlith::internal
