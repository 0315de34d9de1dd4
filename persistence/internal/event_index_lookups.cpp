// Looking things up: by the appending thread, which sees what it has staged, and by everybody else.

#include <microlith/persistence/internal/event_index.hpp>

#include <limits>

namespace microlith::internal {

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
