#pragma once

// Which of the index's runs may hold a stream: a Bloom filter for each of the small ones, in memory
// only, so that looking for a stream that was last seen long ago need not search them all.
//
// A run without a filter may hold anything: those of large runs, and of all that were there at
// opening, until they are merged into others. Any thread.

#include <microlith/persistence/internal/stream_filter.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>
#include <vector>

namespace microlith::internal {

/// A sorted run of stream entries.
struct index_run {
  std::uint32_t level = 0;
  std::uint32_t slot = 0;
  std::uint64_t sequence = 0;  ///< older runs of a level have lower ones
  friend bool operator==(const index_run&, const index_run&) = default;
};

class run_filters {
 public:
  using filter = std::shared_ptr<const stream_filter>;

  /// About 1 MB each on the second level, of at most 16 runs.
  static constexpr std::uint32_t filtered_levels = 2;

  void put(const index_run& run, filter f) {
    std::lock_guard lock{mutex_};
    filters_[key_of(run)] = std::move(f);
  }
  void erase(const index_run& run) {
    std::lock_guard lock{mutex_};
    filters_.erase(key_of(run));
  }
  /// One for each run; null where there is none.
  void find(std::span<const index_run> runs, std::vector<filter>& out) const {
    out.assign(runs.size(), nullptr);
    std::lock_guard lock{mutex_};
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (auto found = filters_.find(key_of(runs[i])); found != filters_.end())
        out[i] = found->second;
    }
  }

 private:
  using key = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;
  static key key_of(const index_run& run) { return {run.level, run.slot, run.sequence}; }

  mutable std::mutex mutex_;
  std::map<key, filter> filters_;
};

}  // namespace microlith::internal
