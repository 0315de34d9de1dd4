#pragma once

// The newest events' index entries, in memory: what is not in the index on disk yet.
//
// Filled in journal order by the appending thread before its commit, shortened again where the
// commit fails. Not thread-safe: event_index guards it. A reader says up to which position it
// believes, so that what is not committed does not show.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

namespace microlith::internal {

struct recent_event {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  stream_key stream;
  std::uint64_t stream_version = 0;
  std::uint64_t position = 0;
  message_id id;
  correlation_id correlation;
  message_id append;
  std::uint32_t before = none;  ///< the stream's previous event in this table
};

class recent_events {
 public:
  explicit recent_events(std::size_t expected_events);

  void add(recent_event event);
  /// Takes the newest ones away again.
  void shorten(std::size_t size);
  /// Takes all away and keeps the memory: touching fresh pages costs more than emptying used ones.
  void clear();

  [[nodiscard]] std::size_t size() const { return events_.size(); }
  [[nodiscard]] bool empty() const { return events_.empty(); }
  [[nodiscard]] const recent_event& operator[](std::size_t i) const { return events_[i]; }
  [[nodiscard]] const std::vector<recent_event>& all() const { return events_; }

  /// The stream's last event at or before `position`; null where there is none here.
  [[nodiscard]] const recent_event* last_of(const stream_key& stream, std::uint64_t position) const;
  /// The stream's event before that one.
  [[nodiscard]] const recent_event* before(const recent_event& event) const {
    return event.before == recent_event::none ? nullptr : &events_[event.before];
  }
  [[nodiscard]] const recent_event* with_id(message_id id) const {
    return id.high > newest_id_high_ ? nullptr : find_id(id, false);
  }
  /// The first event of the append with this id.
  [[nodiscard]] const recent_event* first_of_append(message_id append) const {
    return append.high > newest_id_high_ ? nullptr : find_id(append, true);
  }
  /// The last one of the append that this event belongs to.
  [[nodiscard]] const recent_event& last_of_append(const recent_event& first) const;

  /// Begins to load what a lookup will need.
  void prefetch(const stream_key& stream) const {
    __builtin_prefetch(&streams_[stream.low & (stream_slots_ - 1)]);
  }
  void prefetch(message_id id) const { __builtin_prefetch(&ids_[hash(id) & (id_slots_ - 1)]); }

 private:
  // An empty slot has index 0; others hold the index plus one. A slot whose events were taken away
  // holds `vacant`, so that lookups go on past it.
  static constexpr std::uint32_t vacant = std::numeric_limits<std::uint32_t>::max();
  struct stream_slot {
    std::uint32_t tag;
    std::uint32_t last;
  };
  struct id_slot {
    std::uint32_t tag;
    std::uint32_t event;
  };
  struct free_memory {
    void operator()(void* p) const { std::free(p); }
  };
  // Zeroed by the system as pages are first touched, so that a large table costs nothing at once;
  // in huge pages where there are any, as every lookup is somewhere else.
  template <class Slot>
  using slots = std::unique_ptr<Slot[], free_memory>;
  template <class Slot>
  static slots<Slot> make_slots(std::size_t count);

  static std::size_t hash(message_id id) {
    return static_cast<std::size_t>(
        (id.low ^ (id.high * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL >> 16);
  }
  static std::uint32_t tag_of(const stream_key& stream) {
    return static_cast<std::uint32_t>(stream.high);
  }
  static std::uint32_t tag_of(message_id id, bool is_append) {
    return (static_cast<std::uint32_t>(id.low) << 1) | (is_append ? 1U : 0U);
  }

  void link_stream(std::uint32_t index);
  void add_id(message_id id, bool is_append, std::uint32_t index);
  void remove_id(message_id id, bool is_append);
  [[nodiscard]] const recent_event* find_id(message_id id, bool is_append) const;
  void grow_streams();
  void grow_ids();
  [[nodiscard]] bool begins_append(std::size_t index) const {
    return !events_[index].append.empty() &&
           (index == 0 || events_[index - 1].append != events_[index].append);
  }

  std::vector<recent_event> events_;
  std::size_t stream_slots_;
  std::size_t id_slots_;
  std::size_t streams_used_ = 0;
  std::size_t ids_used_ = 0;
  // Ids grow with time, so one look tells that most new ones are not here. Never lowered by
  // `shorten`.
  std::uint64_t newest_id_high_ = 0;
  slots<stream_slot> streams_;
  slots<id_slot> ids_;
};

}  // namespace microlith::internal
