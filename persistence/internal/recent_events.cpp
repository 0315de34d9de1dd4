#include <microlith/persistence/internal/recent_events.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace microlith::internal {

namespace {

constexpr std::size_t smallest_table = 64;
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

std::size_t slots_for(std::size_t entries) {
  return std::bit_ceil(std::max(entries * 2, smallest_table));
}

// Probes stay short up to there; a table that was made for so many entries is at half.
bool is_full(std::size_t used, std::size_t slots) {
  return (used + 1) * 3 > slots * 2;
}

}  // namespace

template <class Slot>
recent_events::slots<Slot> recent_events::make_slots(std::size_t count) {
  const auto size = count * sizeof(Slot);
  if (size < huge_page_bytes) {
    slots<Slot> memory{static_cast<Slot*>(std::calloc(count, sizeof(Slot)))};
    if (!memory)
      throw std::bad_alloc{};
    return memory;
  }
  slots<Slot> memory{static_cast<Slot*>(std::aligned_alloc(huge_page_bytes, size))};
  if (!memory)
    throw std::bad_alloc{};
  ::madvise(memory.get(), size, MADV_HUGEPAGE);
  std::memset(static_cast<void*>(memory.get()), 0, size);
  return memory;
}

recent_events::recent_events(std::size_t expected_events)
    : stream_slots_{slots_for(expected_events)},
      id_slots_{slots_for(expected_events * 2)},
      streams_{make_slots<stream_slot>(stream_slots_)},
      ids_{make_slots<id_slot>(id_slots_)} {
  events_.reserve(expected_events);
}

void recent_events::add(recent_event event) {
  auto index = static_cast<std::uint32_t>(events_.size());
  events_.push_back(event);
  if (!event.stream.empty())
    link_stream(index);
  newest_id_high_ = std::max({newest_id_high_, event.id.high, event.append.high});
  add_id(event.id, false, index);
  if (begins_append(index))
    add_id(event.append, true, index);
}

void recent_events::clear() {
  events_.clear();
  std::fill_n(streams_.get(), stream_slots_, stream_slot{});
  std::fill_n(ids_.get(), id_slots_, id_slot{});
  streams_used_ = ids_used_ = 0;
  newest_id_high_ = 0;
}

void recent_events::shorten(std::size_t size) {
  while (events_.size() > size) {
    auto index = events_.size() - 1;
    const auto& event = events_[index];
    if (!event.stream.empty()) {
      for (auto i = event.stream.low & (stream_slots_ - 1);; i = (i + 1) & (stream_slots_ - 1)) {
        if (streams_[i].last == index + 1) {
          streams_[i].last = event.before == recent_event::none ? vacant : event.before + 1;
          break;
        }
      }
    }
    remove_id(event.id, false);
    if (begins_append(index))
      remove_id(event.append, true);
    events_.pop_back();
  }
}

void recent_events::link_stream(std::uint32_t index) {
  if (is_full(streams_used_, stream_slots_))
    grow_streams();
  auto& event = events_[index];
  auto tag = tag_of(event.stream);
  stream_slot* free_slot = nullptr;
  for (auto i = event.stream.low & (stream_slots_ - 1);; i = (i + 1) & (stream_slots_ - 1)) {
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

void recent_events::add_id(message_id id, bool is_append, std::uint32_t index) {
  if (is_full(ids_used_, id_slots_))
    grow_ids();
  for (auto i = hash(id) & (id_slots_ - 1);; i = (i + 1) & (id_slots_ - 1)) {
    auto& slot = ids_[i];
    if (slot.event == 0 || slot.event == vacant) {
      ids_used_ += slot.event == 0 ? 1 : 0;
      slot = {tag_of(id, is_append), index + 1};
      return;
    }
  }
}

void recent_events::remove_id(message_id id, bool is_append) {
  auto tag = tag_of(id, is_append);
  auto index = static_cast<std::uint32_t>(events_.size());
  for (auto i = hash(id) & (id_slots_ - 1);; i = (i + 1) & (id_slots_ - 1)) {
    auto& slot = ids_[i];
    if (slot.event == index && slot.tag == tag) {
      slot.event = vacant;
      return;
    }
  }
}

const recent_event* recent_events::find_id(message_id id, bool is_append) const {
  auto tag = tag_of(id, is_append);
  for (auto i = hash(id) & (id_slots_ - 1);; i = (i + 1) & (id_slots_ - 1)) {
    const auto& slot = ids_[i];
    if (slot.event == 0)
      return nullptr;
    if (slot.tag != tag || slot.event == vacant)
      continue;
    const auto& event = events_[slot.event - 1];
    if ((is_append ? event.append : event.id) == id)
      return &event;
  }
}

void recent_events::grow_streams() {
  auto old = std::exchange(streams_, make_slots<stream_slot>(stream_slots_ * 2));
  auto old_slots = std::exchange(stream_slots_, stream_slots_ * 2);
  streams_used_ = 0;
  for (std::size_t from = 0; from < old_slots; ++from) {
    auto slot = old[from];
    if (slot.last == 0 || slot.last == vacant)
      continue;
    auto i = events_[slot.last - 1].stream.low & (stream_slots_ - 1);
    while (streams_[i].last != 0)
      i = (i + 1) & (stream_slots_ - 1);
    streams_[i] = slot;
    ++streams_used_;
  }
}

void recent_events::grow_ids() {
  auto old = std::exchange(ids_, make_slots<id_slot>(id_slots_ * 2));
  auto old_slots = std::exchange(id_slots_, id_slots_ * 2);
  ids_used_ = 0;
  for (std::size_t from = 0; from < old_slots; ++from) {
    auto slot = old[from];
    if (slot.event == 0 || slot.event == vacant)
      continue;
    const auto& event = events_[slot.event - 1];
    auto i = hash((slot.tag & 1U) != 0 ? event.append : event.id) & (id_slots_ - 1);
    while (ids_[i].event != 0)
      i = (i + 1) & (id_slots_ - 1);
    ids_[i] = slot;
    ++ids_used_;
  }
}

const recent_event* recent_events::last_of(const stream_key& stream, std::uint64_t position) const {
  auto tag = tag_of(stream);
  for (auto i = stream.low & (stream_slots_ - 1);; i = (i + 1) & (stream_slots_ - 1)) {
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
