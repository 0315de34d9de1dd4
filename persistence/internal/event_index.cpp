// What becomes of the entries: staged in memory, sealed, merged into the index on disk.

#include <microlith/persistence/internal/event_index.hpp>
#include <microlith/persistence/internal/opening_check.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::size_t cached_heads = 1'048'576;
constexpr std::size_t heads_per_merged_event = 16;
constexpr std::size_t heads_per_lock = 256;
constexpr std::size_t prefetched_heads = 8;
constexpr std::chrono::milliseconds retry_merge_after{200};
// Between two slices the disk is the journal's for so many times as long.
constexpr int pause_by_slice = 10;
constexpr std::chrono::milliseconds longest_pause{25};

/// For as long as somebody waits for a merge, it makes no pauses.
class hurry {
 public:
  explicit hurry(std::size_t& count) : count_{count} { ++count_; }
  hurry(const hurry&) = delete;
  hurry& operator=(const hurry&) = delete;
  ~hurry() { --count_; }

 private:
  std::size_t& count_;
};

}  // namespace

event_index::event_index(event_index_options options, std::uint64_t last_position)
    : options_{std::move(options)},
      heads_{std::min(cached_heads, options_.merge_threshold * heads_per_merged_event)} {
  options_.merge_threshold = std::max<std::size_t>(options_.merge_threshold, 1);
  active_ = fresh_events();
  try {
    open_merged(last_position);
  } catch (const index_unusable&) {
    std::filesystem::remove_all(options_.directory);
    open_merged(last_position);
  } catch (const lmdb_error& error) {
    if (error.out_of_space() || error.code() == ENOMEM || error.code() == EACCES)
      throw;
    std::filesystem::remove_all(options_.directory);
    open_merged(last_position);
  }
}

void event_index::open_merged(std::uint64_t last_position) {
  if (!can_be_mapped(options_.directory))
    throw index_unusable{"the index was cut or is damaged"};
  merged_ = std::make_unique<merged_index>(
      options_.directory, options_.epoch, options_.map, options_.sync,
      slicing{.bytes = merged_index::default_slice_bytes,
              .pause = [this](std::chrono::nanoseconds took) { pause_between_slices(took); }});
  if (merged_->reach() > last_position) {
    merged_.reset();
    throw index_unusable{"the index is ahead of its journal"};
  }
}

event_index::~event_index() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (merger_.joinable())
    merger_.join();
}

std::unique_ptr<recent_events> event_index::fresh_events() const {
  return std::make_unique<recent_events>(options_.merge_threshold);
}

void event_index::load(const recent_event& event) {
  // An append is never split: its positions are looked up within one table.
  bool between_appends =
      active_->empty() || event.append.empty() || active_->all().back().append != event.append;
  if (active_->size() >= options_.merge_threshold && between_appends) {
    seal();
    merge_sealed();
  }
  active_->add(event);
}

void event_index::start(std::uint64_t last_position) {
  committed_.store(last_position, std::memory_order_release);
  append_reader_.emplace(*merged_);
  append_reader_->reset();
  merger_started_ = options_.merge_in_background;
  if (merger_started_)
    merger_ = std::thread{[this] { merge_in_background(); }};
}

std::optional<std::string> event_index::make_room() {
  if (!options_.merge_in_background) {
    if (active_->size() >= 2 * options_.merge_threshold)
      merge_now();
    return std::nullopt;
  }
  if (active_->size() < options_.merge_threshold)
    return std::nullopt;
  std::unique_lock lock{mutex_};
  {
    hurry now{in_a_hurry_};
    changed_.notify_all();
    changed_.wait(lock, [&] { return !sealed_ || !merge_problem_.empty(); });
  }
  if (sealed_)
    return merge_problem_;
  seal();
  lock.unlock();
  changed_.notify_all();
  return std::nullopt;
}

void event_index::seal() {
  auto next = spare_ ? std::move(spare_) : fresh_events();
  sealed_ = std::exchange(active_, std::move(next));
}

void event_index::committed(std::uint64_t last_position) {
  committed_.store(last_position, std::memory_order_release);
  if (!options_.merge_in_background || active_->size() < options_.merge_threshold)
    return;
  {
    std::lock_guard lock{mutex_};
    if (sealed_)
      return;
    seal();
  }
  changed_.notify_all();
}

void event_index::take_back(std::uint64_t last_position) {
  std::lock_guard lock{mutex_};
  auto size = active_->size();
  while (size > 0 && (*active_)[size - 1].position > last_position)
    --size;
  active_->shorten(size);
}

void event_index::merge_now() {
  if (options_.merge_in_background && merger_.joinable()) {
    std::unique_lock lock{mutex_};
    hurry now{in_a_hurry_};
    auto nothing_sealed = [&] { return !sealed_ || !merge_problem_.empty(); };
    changed_.notify_all();
    changed_.wait(lock, nothing_sealed);
    if (!sealed_ && !active_->empty()) {
      seal();
      changed_.notify_all();
      changed_.wait(lock, nothing_sealed);
    }
    if (sealed_)
      throw std::runtime_error{merge_problem_};
    return;
  }
  {
    std::lock_guard lock{mutex_};
    if (!sealed_ && !active_->empty())
      seal();
  }
  if (sealed_)
    merge_sealed();
  while (merged_->compact()) {
  }
}

void event_index::merge_sealed() {
  while (merged_->crowded() && merged_->compact()) {
  }
  merged_->merge(*sealed_);
  retire_sealed();
}

void event_index::retire_sealed() {
  // Lookups find the sealed events until they are gone, so the cache may be filled bit by bit, and
  // nobody waits long for the lock. The newest event of a stream comes last and stays.
  const auto& all = sealed_->all();
  for (std::size_t i = 0; i < all.size();) {
    // A lock is not fair: without this, who waits would do so until the last of them.
    while (append_waits_.load(std::memory_order_acquire))
      std::this_thread::yield();
    std::lock_guard lock{mutex_};
    for (auto end = std::min(all.size(), i + heads_per_lock); i < end; ++i) {
      if (i + prefetched_heads < all.size())
        heads_.prefetch(all[i + prefetched_heads].stream);
      if (!all[i].stream.empty())
        heads_.put(all[i].stream, {all[i].stream_version, all[i].position});
    }
  }
  std::unique_ptr<recent_events> retired;
  {
    std::lock_guard lock{mutex_};
    retired = std::move(sealed_);
    merge_problem_.clear();
  }
  retired->clear();
  std::lock_guard lock{mutex_};
  spare_ = std::move(retired);
}

void event_index::pause_between_slices(std::chrono::nanoseconds slice_took) {
  // Only where appends go on meanwhile, and only while there is time.
  if (!merger_started_)
    return;
  auto pause = std::min<std::chrono::nanoseconds>(pause_by_slice * slice_took, longest_pause);
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, pause, [&] {
    return stopping_ || in_a_hurry_ > 0 || active_->size() >= options_.merge_threshold / 2;
  });
}

void event_index::merge_in_background() {
  bool compacting = true;
  for (;;) {
    bool merging = false;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return stopping_ || sealed_ || compacting; });
      if (stopping_)
        return;
      merging = sealed_ != nullptr;
    }
    try {
      if (merging) {
        merge_sealed();
        changed_.notify_all();
        if (options_.on_merged)
          options_.on_merged();
        compacting = true;
      } else {
        auto began = std::chrono::steady_clock::now();
        compacting = merged_->compact();
        if (compacting)
          pause_between_slices(std::chrono::steady_clock::now() - began);
      }
    } catch (const std::exception& error) {
      const auto* page = dynamic_cast<const lmdb_error*>(&error);
      std::unique_lock lock{mutex_};
      merge_problem_ = std::string{"cannot merge the index in "} + options_.directory.string() +
                       ": " + error.what();
      if (page != nullptr && page->damaged())
        merge_problem_ += ". Stop the node and start it again: the index is then built again";
      changed_.notify_all();
      changed_.wait_for(lock, retry_merge_after, [&] { return stopping_; });
    }
  }
}

}  // namespace microlith::internal
