#pragma once

// The index on disk: from streams, message ids, append ids and correlations to positions, up to a
// checkpoint. An LMDB environment of its own; everything in it can be derived from the journal
// again.
//
// Stream entries are kept in runs, each written sorted and at once; runs of one level are merged
// into one of the next, a slice at a time. So the cost of an entry grows with the logarithm of the
// journal, not with its size, as it would if each merge touched pages all over one tree. Ids grow
// with time, so one tree each is enough: a merge touches its end.
//
// Everything is written in slices, a small transaction each: the disk is shared with the journal,
// whose commits would wait behind a large one. What a merge has written shows with its last slice
// only; ids do before that, and nobody asks here for the ones that are still in memory.
//
// One thread writes (`merge`, `compact`). `reader`s may be made on any thread. Everything throws
// lmdb_error, and index_unusable where the environment is not what was written.

#include <microlith/persistence/internal/head_cache.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/recent_events.hpp>
#include <microlith/persistence/internal/run_filters.hpp>
#include <microlith/persistence/internal/slice_writer.hpp>
#include <microlith/persistence/internal/stream_filter.hpp>
#include <microlith/persistence/journal.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace microlith::internal {

/// The index has to be thrown away and built again.
class index_unusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class merged_index {
 public:
  static constexpr std::uint32_t levels = 5;
  static constexpr std::uint32_t slots_per_level = 16;
  /// As many runs of a level become one of the next.
  static constexpr std::size_t runs_per_merge = 8;

  /// How much a slice writes. Each sync holds up a commit of the journal or two, whatever its size,
  /// so small ones hold up more of them; a larger one holds them up for longer.
  static constexpr std::size_t default_slice_bytes = std::size_t{4} << 20;

  /// Opens or creates; throws index_unusable where what is there is of another epoch or format.
  merged_index(const std::filesystem::path& directory, message_id epoch, map_size map, bool sync,
               slicing slices = {.bytes = default_slice_bytes});

  /// Position up to which events are in the index.
  [[nodiscard]] std::uint64_t checkpoint() const { return checkpoint_; }
  /// Ids of events up to there may be in the index: a merge may not have ended.
  [[nodiscard]] std::uint64_t reach() const { return reach_; }

  /// Takes over events that directly follow the checkpoint. Where it throws, it may be called again
  /// with the same events.
  void merge(const recent_events& events);

  /// One slice of merging runs; false where there is nothing to do.
  bool compact();
  /// Whether `merge` would find no free slot: `compact` first.
  [[nodiscard]] bool crowded() const;

  /// Ids above these are not in the index. Any thread.
  [[nodiscard]] bool may_hold(message_id id) const;

  [[nodiscard]] const stream_filter& streams() const { return filter_; }

  /// A view of the index as it was when the reader was made or renewed.
  class reader {
   public:
    explicit reader(const merged_index& index);
    void reset() { transaction_.reset(); }
    void renew();

    [[nodiscard]] std::optional<stream_head> head_of(const stream_key& stream);
    /// Positions of the versions from `from` to before `to`, in order, at most `limit`.
    void positions_of(const stream_key& stream, std::uint64_t from, std::uint64_t to,
                      std::size_t limit, std::vector<std::uint64_t>& out);
    [[nodiscard]] std::optional<std::uint64_t> position_of(message_id event);
    [[nodiscard]] std::optional<append_positions> append_of(message_id append);
    void conversation(correlation_id correlation, std::uint64_t after, std::size_t limit,
                      std::vector<std::uint64_t>& out);

   private:
    void load_runs();
    [[nodiscard]] bool may_hold(std::size_t run, const stream_key& stream) const {
      return !filters_[run] || filters_[run]->may_hold(stream);
    }

    const merged_index* index_;
    lmdb_transaction transaction_;
    std::vector<index_run> runs_;  ///< oldest first
    std::vector<run_filters::filter> filters_;
  };

 private:
  struct compaction {
    std::uint32_t level = 0;
    std::vector<index_run> sources;
    index_run target;
    std::array<std::byte, 24> last_key{};
    bool started = false;
    std::shared_ptr<stream_filter> filter;  ///< of the target; null where it is too large for one
  };

  void create_or_load(message_id epoch);
  void load_filter(lmdb_transaction& t, std::uint64_t layers, std::uint64_t added);
  void write_state(lmdb_transaction& t, std::uint64_t checkpoint, std::uint64_t reach,
                   const std::vector<index_run>& runs);
  void merge_once(const recent_events& events);
  bool compact_once();
  void begin_merge(const index_run& run, std::uint64_t reach);
  void write_run(slice_writer& out, const recent_events& events, const index_run& run);
  void write_ids(slice_writer& out, const recent_events& events) const;
  void write_correlations(slice_writer& out, const recent_events& events) const;
  void write_appends(slice_writer& out, const recent_events& events) const;
  void write_filter(slice_writer& out) const;
  void load_newest_id(lmdb_transaction& t);
  [[nodiscard]] std::optional<std::uint32_t> free_slot(std::uint32_t level) const;
  [[nodiscard]] std::optional<compaction> next_compaction() const;
  [[nodiscard]] MDB_dbi table_of(const index_run& run) const {
    return runs_tables_[run.level][run.slot];
  }

  environment environment_;
  message_id epoch_;
  MDB_dbi state_table_ = 0;
  MDB_dbi ids_table_ = 0;
  MDB_dbi appends_table_ = 0;
  MDB_dbi correlations_table_ = 0;
  MDB_dbi filter_table_ = 0;
  std::array<std::array<MDB_dbi, slots_per_level>, levels> runs_tables_{};

  slicing slices_;
  std::uint64_t checkpoint_ = 0;
  std::uint64_t reach_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::vector<index_run> runs_;  ///< oldest first
  std::array<std::optional<compaction>, levels> compactions_;
  stream_filter filter_;
  run_filters run_filters_;
  // The greatest ids' high halves: time and a counter, enough to tell new from old.
  std::atomic<std::uint64_t> newest_id_high_{0};
};

}  // namespace microlith::internal
