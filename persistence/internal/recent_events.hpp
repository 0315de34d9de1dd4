#pragma once

// The newest events' index entries, in memory: what is not in the index on disk yet.
//
// Filled in journal order by the appending thread before its commit, shortened again where the
// commit fails. Not thread-safe: event_index guards it. A reader says up to which position it
// believes, so that what is not committed does not show.
//
// Ids go into their hash tables late: a few after each batch (`settle`), the rest when somebody
// looks for one that is not newer than all. As most are newer than all, most work is never done
// where it would delay a large batch, and a sealed table is merged without it.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/id_table.hpp>
#include <microlith/persistence/internal/slot_memory.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
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

  void add(const recent_event& event);
  /// Makes a few more ids ready to be found, so that nobody has to wait for many of them.
  void settle();
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
  [[nodiscard]] const recent_event* with_id(message_id id) {
    return id.high > newest_id_high_ ? nullptr : find_id(id);
  }
  /// The first event of the append with this id.
  [[nodiscard]] const recent_event* first_of_append(message_id append) {
    return append.high > newest_append_high_ ? nullptr : find_append(append);
  }
  /// The last one of the append that this event belongs to.
  [[nodiscard]] const recent_event& last_of_append(const recent_event& first) const;

  /// Begins to load what a lookup will need.
  void prefetch(const stream_key& stream) const {
    __builtin_prefetch(&streams_[first_slot(stream)]);
  }

 private:
  // An empty slot has index 0; others hold the index plus one. A slot whose events were taken away
  // holds `vacant`, so that lookups go on past it.
  static constexpr std::uint32_t vacant = std::numeric_limits<std::uint32_t>::max();
  struct stream_slot {
    std::uint32_t tag;
    std::uint32_t last;
  };

  static std::uint32_t tag_of(const stream_key& stream) {
    return static_cast<std::uint32_t>(stream.high);
  }

  [[nodiscard]] std::size_t first_slot(const stream_key& stream) const {
    return static_cast<std::size_t>(stream.low) & (stream_slots_ - 1);
  }
  void link_stream(std::uint32_t index);
  void grow_streams();
  [[nodiscard]] const recent_event* find_id(message_id id);
  [[nodiscard]] const recent_event* find_append(message_id append);
  void settle_ids(std::size_t count);
  void settle_appends(std::size_t count);
  [[nodiscard]] bool begins_append(std::size_t index) const {
    return !events_[index].append.empty() &&
           (index == 0 || events_[index - 1].append != events_[index].append);
  }

  std::vector<recent_event> events_;
  std::size_t stream_slots_;
  std::size_t streams_used_ = 0;
  slots<stream_slot> streams_;
  id_table ids_;
  id_table appends_;
  std::size_t ids_settled_ = 0;  ///< events whose ids are in the table
  std::size_t appends_settled_ = 0;
  // Ids grow with time, so one look tells that most new ones are not here. Never lowered by
  // `shorten`.
  std::uint64_t newest_id_high_ = 0;
  std::uint64_t newest_append_high_ = 0;
};

}  // namespace microlith::internal
