#pragma once

// Where everything is: streams, message ids, append ids and correlations to positions. The newest
// part in memory, the rest merged into an index on disk in large sorted batches, by a thread of its
// own.
//
// The appending thread stages the entries of a batch before its commit (`batch`), then says that
// they are committed, or takes them back. Everybody else may look things up at any time and sees
// what is committed. Memory is bounded: past twice the merge threshold the appending thread waits
// in `make_room`.

#include <microlith/persistence/internal/head_cache.hpp>
#include <microlith/persistence/internal/merged_index.hpp>
#include <microlith/persistence/internal/recent_events.hpp>
#include <microlith/persistence/journal.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace microlith::internal {

struct event_index_options {
  std::filesystem::path directory;
  message_id epoch;
  map_size map;
  bool sync = true;
  std::size_t merge_threshold = 0;
  bool merge_in_background = true;
  /// Called by the merging thread now and then.
  std::function<void()> on_merged;
};

class event_index {
 public:
  /// Opens the index on disk. One that is damaged, of another epoch or ahead of `last_position` is
  /// thrown away: `checkpoint` is 0 then.
  event_index(event_index_options options, std::uint64_t last_position);
  ~event_index();
  event_index(const event_index&) = delete;
  event_index& operator=(const event_index&) = delete;

  /// Before `start`: the position up to which nothing need be loaded, and the events after it.
  [[nodiscard]] std::uint64_t checkpoint() const { return merged_->checkpoint(); }
  void load(const recent_event& event);
  /// Everything is loaded: merging begins.
  void start(std::uint64_t last_position);

  /// Appending thread. Waits until there is memory for more; what is in the way where there will be
  /// none soon.
  [[nodiscard]] std::optional<std::string> make_room();

  struct head {
    stream_head at;
    message_id append;          ///< that wrote the last event
    bool append_known = false;  ///< otherwise only the record knows
  };

  /// The appending thread's way in: what it sees includes what it has staged.
  class batch {
   public:
    explicit batch(event_index& index);
    ~batch();
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;

    /// Memory that looking a stream up will need: first this, some time later the next, and again
    /// some time later the stream's head, which is told what came of it.
    void prefetch(const stream_key& stream) const;
    [[nodiscard]] bool may_be_merged(const stream_key& stream) const;
    [[nodiscard]] head head_of(const stream_key& stream, bool may_be_merged);
    [[nodiscard]] std::optional<append_positions> append_of(message_id append);
    [[nodiscard]] std::optional<std::uint64_t> position_of(message_id event);
    void stage(const recent_event& event) {
      index_.active_->add(event);
      if (event.stream == last_key_)
        last_head_ = {{event.stream_version, event.position}, event.append, true};
    }
    /// Everything is staged.
    void settle() { index_.active_->settle(); }
    [[nodiscard]] std::size_t staged() const { return index_.active_->size(); }
    /// Takes back what was staged after `staged` said so.
    void unstage(std::size_t staged) {
      index_.active_->shorten(staged);
      last_key_ = {};
    }

   private:
    merged_index::reader& merged();
    [[nodiscard]] head find_head(const stream_key& stream, bool may_be_merged);

    event_index& index_;
    std::unique_lock<std::mutex> lock_;
    bool reading_ = false;
    // A check and the events that follow it mostly ask for the same stream.
    stream_key last_key_;
    head last_head_;
  };

  /// Appending thread: what is staged is in the journal, or will not be.
  void committed(std::uint64_t last_position);
  void take_back(std::uint64_t last_position);

  /// Merges what is committed; not while anything is staged.
  void merge_now();

  // Any thread.
  [[nodiscard]] std::uint64_t version_of(const stream_key& stream) const;
  [[nodiscard]] std::vector<std::uint64_t> positions_of(const stream_key& stream,
                                                        std::uint64_t from_version,
                                                        std::size_t limit) const;
  [[nodiscard]] std::optional<std::uint64_t> position_of(message_id event) const;
  [[nodiscard]] std::optional<append_positions> append_of(message_id append) const;
  [[nodiscard]] std::vector<std::uint64_t> conversation(correlation_id correlation,
                                                        std::uint64_t after,
                                                        std::size_t limit) const;

 private:
  void open_merged(std::uint64_t last_position);
  void seal();
  void merge_sealed();
  void retire_sealed();
  void merge_in_background();
  void pause_between_slices(std::chrono::nanoseconds slice_took);
  [[nodiscard]] std::unique_ptr<recent_events> fresh_events() const;

  event_index_options options_;
  std::unique_ptr<merged_index> merged_;
  std::optional<merged_index::reader> append_reader_;

  mutable std::mutex mutex_;
  // The appending thread wants the lock: whoever takes it again and again waits for that.
  std::atomic<bool> append_waits_{false};
  std::condition_variable changed_;
  std::unique_ptr<recent_events> active_;
  std::unique_ptr<recent_events> sealed_;  ///< being merged; does not change
  std::unique_ptr<recent_events> spare_;   ///< empty
  head_cache heads_;
  std::string merge_problem_;
  bool stopping_ = false;
  std::size_t in_a_hurry_ = 0;  ///< who waits for a merge to end
  std::atomic<std::uint64_t> committed_{0};
  bool merger_started_ = false;
  std::thread merger_;
};

}  // namespace microlith::internal
