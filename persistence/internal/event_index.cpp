#include <microlith/persistence/internal/event_index.hpp>
#include <microlith/persistence/internal/opening_check.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
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

event_index::batch::batch(event_index& index)
    : index_{index}, lock_{index.mutex_, std::try_to_lock} {
  if (lock_.owns_lock())
    return;
  index_.append_waits_.store(true, std::memory_order_release);
  lock_.lock();
  index_.append_waits_.store(false, std::memory_order_release);
}

event_index::batch::~batch() {
  if (reading_)
    index_.append_reader_->reset();
}

merged_index::reader& event_index::batch::merged() {
  // Renewed under the lock: whatever has left memory by now is in its view.
  if (!reading_) {
    index_.append_reader_->renew();
    reading_ = true;
  }
  return *index_.append_reader_;
}

void event_index::batch::prefetch(const stream_key& stream) const {
  index_.active_->prefetch(stream);
  if (index_.sealed_)
    index_.sealed_->prefetch(stream);
  index_.merged_->streams().prefetch(stream);
}

bool event_index::batch::may_be_merged(const stream_key& stream) const {
  if (!index_.merged_->streams().may_hold(stream))
    return false;
  index_.heads_.prefetch(stream);
  return true;
}

event_index::head event_index::batch::head_of(const stream_key& stream, bool may_be_merged) {
  if (stream != last_key_) {
    last_head_ = find_head(stream, may_be_merged);
    last_key_ = stream;
  }
  return last_head_;
}

event_index::head event_index::batch::find_head(const stream_key& stream, bool may_be_merged) {
  constexpr auto staged_too = std::numeric_limits<std::uint64_t>::max();
  for (const auto* events : {index_.active_.get(), index_.sealed_.get()}) {
    if (events == nullptr)
      continue;
    if (const auto* event = events->last_of(stream, staged_too))
      return {{event->stream_version, event->position}, event->append, true};
  }
  if (!may_be_merged)
    return {};
  if (const auto* cached = index_.heads_.find(stream))
    return {*cached, {}, false};
  auto found = merged().head_of(stream);
  if (!found)
    return {};
  index_.heads_.put(stream, *found);
  return {*found, {}, false};
}

std::optional<append_positions> event_index::batch::append_of(message_id append) {
  for (auto* events : {index_.active_.get(), index_.sealed_.get()}) {
    if (events == nullptr)
      continue;
    if (const auto* event = events->first_of_append(append))
      return append_positions{event->position, events->last_of_append(*event).position};
  }
  if (!index_.merged_->may_hold(append))
    return std::nullopt;
  return merged().append_of(append);
}

std::optional<std::uint64_t> event_index::batch::position_of(message_id event) {
  for (auto* events : {index_.active_.get(), index_.sealed_.get()}) {
    if (events == nullptr)
      continue;
    if (const auto* found = events->with_id(event))
      return found->position;
  }
  if (!index_.merged_->may_hold(event))
    return std::nullopt;
  return merged().position_of(event);
}

std::uint64_t event_index::version_of(const stream_key& stream) const {
  {
    std::lock_guard lock{mutex_};
    auto committed = committed_.load(std::memory_order_acquire);
    for (const auto* events : {active_.get(), sealed_.get()}) {
      if (events == nullptr)
        continue;
      if (const auto* event = events->last_of(stream, committed))
        return event->stream_version;
    }
    if (const auto* cached = heads_.find(stream))
      return cached->version;
    if (!merged_->streams().may_hold(stream))
      return 0;
  }
  auto found = merged_index::reader{*merged_}.head_of(stream);
  return found ? found->version : 0;
}

std::vector<std::uint64_t> event_index::positions_of(const stream_key& stream,
                                                     std::uint64_t from_version,
                                                     std::size_t limit) const {
  std::vector<std::uint64_t> recent;  // newest first
  auto first_recent = std::numeric_limits<std::uint64_t>::max();
  {
    std::lock_guard lock{mutex_};
    auto committed = committed_.load(std::memory_order_acquire);
    for (const auto* events : {active_.get(), sealed_.get()}) {
      if (events == nullptr)
        continue;
      for (const auto* event = events->last_of(stream, committed);
           event != nullptr && event->stream_version >= from_version;
           event = events->before(*event)) {
        recent.push_back(event->position);
        first_recent = event->stream_version;
      }
    }
  }
  std::vector<std::uint64_t> positions;
  if (from_version < first_recent && merged_->streams().may_hold(stream))
    merged_index::reader{*merged_}.positions_of(stream, from_version, first_recent, limit,
                                                positions);
  for (auto p = recent.rbegin(); p != recent.rend() && positions.size() < limit; ++p)
    positions.push_back(*p);
  return positions;
}

std::optional<std::uint64_t> event_index::position_of(message_id event) const {
  {
    std::lock_guard lock{mutex_};
    auto committed = committed_.load(std::memory_order_acquire);
    for (auto* events : {active_.get(), sealed_.get()}) {
      const auto* found = events == nullptr ? nullptr : events->with_id(event);
      if (found != nullptr)
        return found->position <= committed ? std::optional{found->position} : std::nullopt;
    }
    if (!merged_->may_hold(event))
      return std::nullopt;
  }
  return merged_index::reader{*merged_}.position_of(event);
}

std::optional<append_positions> event_index::append_of(message_id append) const {
  {
    std::lock_guard lock{mutex_};
    auto committed = committed_.load(std::memory_order_acquire);
    for (auto* events : {active_.get(), sealed_.get()}) {
      const auto* found = events == nullptr ? nullptr : events->first_of_append(append);
      if (found != nullptr && found->position > committed)
        return std::nullopt;
      if (found != nullptr)
        return append_positions{found->position, events->last_of_append(*found).position};
    }
    if (!merged_->may_hold(append))
      return std::nullopt;
  }
  return merged_index::reader{*merged_}.append_of(append);
}

std::vector<std::uint64_t> event_index::conversation(correlation_id correlation,
                                                     std::uint64_t after, std::size_t limit) const {
  std::vector<std::uint64_t> recent;
  {
    std::lock_guard lock{mutex_};
    auto committed = committed_.load(std::memory_order_acquire);
    for (const auto* events : {sealed_.get(), active_.get()}) {
      if (events == nullptr)
        continue;
      for (const auto& event : events->all()) {
        if (event.correlation == correlation && event.position > after &&
            event.position <= committed)
          recent.push_back(event.position);
      }
    }
  }
  std::vector<std::uint64_t> positions;
  merged_index::reader{*merged_}.conversation(correlation, after, limit, positions);
  // What was merged after the look into memory is in both.
  for (auto position : recent) {
    if (positions.size() < limit && (positions.empty() || position > positions.back()))
      positions.push_back(position);
  }
  return positions;
}

}  // namespace microlith::internal
