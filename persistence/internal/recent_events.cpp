#include <microlith/persistence/internal/recent_events.hpp>
#include <microlith/persistence/internal/slot_growth.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::size_t settled_at_a_time = 64;
constexpr std::size_t prefetched_ids = 8;

}  // namespace

recent_events::recent_events(std::size_t expected_events)
    : stream_slots_{slots_for(expected_events)},
      streams_{make_slots<stream_slot>(stream_slots_)},
      ids_{expected_events},
      appends_{expected_events} {
  events_.reserve(expected_events);
  prefer_huge_pages(events_.data(), events_.capacity() * sizeof(recent_event));
}

void recent_events::add(const recent_event& event) {
  auto index = static_cast<std::uint32_t>(events_.size());
  events_.push_back(event);
  if (!event.stream.empty())
    link_stream(index);
  newest_id_high_ = std::max(newest_id_high_, event.id.high);
  newest_append_high_ = std::max(newest_append_high_, event.append.high);
}

void recent_events::settle() {
  settle_ids(settled_at_a_time);
  settle_appends(settled_at_a_time);
}

void recent_events::settle_ids(std::size_t count) {
  auto end = std::min(events_.size(), ids_settled_ + count);
  for (; ids_settled_ < end; ++ids_settled_) {
    if (auto ahead = ids_settled_ + prefetched_ids; ahead < end)
      ids_.prefetch(events_[ahead].id);
    ids_.add(events_[ids_settled_].id, static_cast<std::uint32_t>(ids_settled_));
  }
}

void recent_events::settle_appends(std::size_t count) {
  auto end = std::min(events_.size(), appends_settled_ + count);
  for (; appends_settled_ < end; ++appends_settled_) {
    if (auto ahead = appends_settled_ + prefetched_ids; ahead < end)
      appends_.prefetch(events_[ahead].append);
    if (begins_append(appends_settled_))
      appends_.add(events_[appends_settled_].append, static_cast<std::uint32_t>(appends_settled_));
  }
}

void recent_events::clear() {
  events_.clear();
  std::fill_n(streams_.get(), stream_slots_, stream_slot{});
  streams_used_ = 0;
  if (std::exchange(ids_settled_, 0) != 0)
    ids_.clear();
  if (std::exchange(appends_settled_, 0) != 0)
    appends_.clear();
  newest_id_high_ = newest_append_high_ = 0;
}

void recent_events::shorten(std::size_t size) {
  while (events_.size() > size) {
    auto index = events_.size() - 1;
    const auto& event = events_[index];
    if (!event.stream.empty()) {
      for (auto i = first_slot(event.stream);; i = (i + 1) & (stream_slots_ - 1)) {
        if (streams_[i].last == index + 1) {
          streams_[i].last = event.before == recent_event::none ? vacant : event.before + 1;
          break;
        }
      }
    }
    if (index < ids_settled_) {
      ids_.remove(event.id, static_cast<std::uint32_t>(index));
      ids_settled_ = index;
    }
    if (index < appends_settled_) {
      if (begins_append(index))
        appends_.remove(event.append, static_cast<std::uint32_t>(index));
      appends_settled_ = index;
    }
    events_.pop_back();
  }
}

void recent_events::link_stream(std::uint32_t index) {
  if (is_crowded(streams_used_, stream_slots_))
    grow_streams();
  auto& event = events_[index];
  auto tag = tag_of(event.stream);
  stream_slot* free_slot = nullptr;
  for (auto i = first_slot(event.stream);; i = (i + 1) & (stream_slots_ - 1)) {
    auto& slot = streams_[i];
    if (slot.last == 0) {
      if (free_slot == nullptr) {
        free_slot = &slot;
        ++streams_used_;
      }
      *free_slot = {tag, index + 1};
      return;
    }
    if (slot.last == vacant) {
      if (free_slot == nullptr)
        free_slot = &slot;
    } else if (slot.tag == tag && events_[slot.last - 1].stream == event.stream) {
      event.before = slot.last - 1;
      slot.last = index + 1;
      return;
    }
  }
}

const recent_event* recent_events::find_id(message_id id) {
  settle_ids(events_.size());
  auto found = ids_.find(id, [&](std::uint32_t i) { return events_[i].id == id; });
  return found ? &events_[*found] : nullptr;
}

const recent_event* recent_events::find_append(message_id append) {
  settle_appends(events_.size());
  auto found = appends_.find(append, [&](std::uint32_t i) { return events_[i].append == append; });
  return found ? &events_[*found] : nullptr;
}

void recent_events::grow_streams() {
  streams_used_ = double_slots(
      streams_, stream_slots_, [](const stream_slot& s) { return s.last != 0 && s.last != vacant; },
      [](const stream_slot& s) { return s.last == 0; },
      [&](const stream_slot& s) { return first_slot(events_[s.last - 1].stream); });
}

const recent_event* recent_events::last_of(const stream_key& stream, std::uint64_t position) const {
  auto tag = tag_of(stream);
  for (auto i = first_slot(stream);; i = (i + 1) & (stream_slots_ - 1)) {
    const auto& slot = streams_[i];
    if (slot.last == 0)
      return nullptr;
    if (slot.last == vacant || slot.tag != tag || events_[slot.last - 1].stream != stream)
      continue;
    const auto* event = &events_[slot.last - 1];
    while (event != nullptr && event->position > position)
      event = before(*event);
    return event;
  }
}

const recent_event& recent_events::last_of_append(const recent_event& first) const {
  auto i = static_cast<std::size_t>(&first - events_.data());
  while (i + 1 < events_.size() && events_[i + 1].append == first.append)
    ++i;
  return events_[i];
}

}  // namespace microlith::internal
