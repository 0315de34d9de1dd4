#pragma once

// What the table of conversations consists of: shards of slots, and a memory of those that had to
// make room. Seen by conversations.cpp and conversation_ends.cpp alone; all of a shard is guarded
// by its mutex.

#include <microlith/actors/internal/conversations.hpp>
#include <microlith/actors/internal/quiet_ends.hpp>

#include <algorithm>

namespace microlith::internal {

/// Remembers which conversations had to make room. A set-associative cache: an id that drops out of
/// it raises the watermark, and ids up to the watermark count as forgotten, because ids grow with
/// time.
class forgotten_ids {
 public:
  void add(correlation_id id) {
    auto& set = sets_[index(id)];
    newest_ = std::max(newest_, id);
    auto oldest = std::min_element(set.begin(), set.end());
    watermark_ = std::max(watermark_, *oldest);
    *oldest = id;
  }

  [[nodiscard]] bool contains(correlation_id id) const {
    if (id > newest_)  // as new conversations are
      return false;
    const auto& set = sets_[index(id)];
    return id <= watermark_ || std::find(set.begin(), set.end(), id) != set.end();
  }

 private:
  static constexpr std::size_t set_count = 256;
  [[nodiscard]] static std::size_t index(correlation_id id) { return (id.low >> 8) % set_count; }

  std::vector<std::array<correlation_id, 4>> sets_{set_count};
  correlation_id watermark_;
  correlation_id newest_;
};

/// A dispatch of a conversation, and how it ended.
struct open_dispatch {
  message_id id;
  unsigned running = 1;  // more than one where the same message was dispatched again
  bool ended_well = false;
  accepted how;
  std::unique_ptr<failure> why;  // its own, or that of something it caused
};

/// One conversation: what has passed, who waits, and the dispatches from outside that it began
/// with.
struct conversations::slot : boost::intrusive::list_base_hook<> {
  correlation_id id;
  boost::container::small_vector<envelope, 1> kept;
  boost::container::small_vector<std::unique_ptr<pending_wait>, 1> waits;
  boost::container::small_vector<open_dispatch, 1> dispatches;
  std::vector<const message_type*> timed_out;  // a late one is counted
  steady_time answered_at = steady_time::max();
  bool answered = false;
  std::uint64_t unread = 0;  // position of an event that the journal keeps; before all of `kept`
  bool overflowed = false;   // something was not kept
  bool nobody_asks = false;  // who alone knows the conversation has its answer

  [[nodiscard]] bool running() const {
    return std::any_of(dispatches.begin(), dispatches.end(),
                       [](const open_dispatch& d) { return d.running != 0; });
  }

  /// What has passed and ends a wait that comes now; empty where nothing does.
  [[nodiscard]] std::optional<raw_answer> answer_to(const pending_wait& wait) const {
    for (const auto& message : kept) {
      if (wait.takes(message))
        return message;
    }
    for (const auto& d : dispatches) {
      if (!wait.bound.empty() && d.id != wait.bound)
        continue;
      if (d.ended_well && wait.takes_accepted)
        return d.how;
      if (d.why)
        return *d.why;
    }
    if (overflowed && wait.bound.empty())
      return forgotten_failure(wait);
    return std::nullopt;
  }

  /// A wait takes the first message that fits, so one of a kind and cause is enough.
  void keep(const envelope& message, std::size_t max) {
    const auto& head = message.head();
    for (const auto& before : kept) {
      if (&before.type() == &message.type() && before.head().root == head.root &&
          before.head().causation == head.causation)
        return;
    }
    if (kept.size() < max)
      kept.push_back(message);
    else
      overflowed = true;
  }

  /// Drops what came of a dispatch from outside.
  void forget(message_id root) {
    kept.erase(std::remove_if(kept.begin(), kept.end(),
                              [&](const envelope& message) { return message.head().root == root; }),
               kept.end());
  }

  [[nodiscard]] open_dispatch* find(message_id dispatch) {
    for (auto& d : dispatches) {
      if (d.id == dispatch)
        return &d;
    }
    return nullptr;
  }
};

/// A share of the conversations, under a lock of its own.
struct alignas(64) conversations::shard {
  template <class T>
  using by_correlation = boost::unordered_flat_map<correlation_id, T, std::hash<correlation_id>>;

  mutable brief_mutex mutex;
  /// Conversations in which nothing has happened but one dispatch, with the wait of its caller, who
  /// alone knows them: most are never more. Whatever else happens makes a slot of one (`find`,
  /// `obtain`).
  by_correlation<std::unique_ptr<pending_wait>> alone;
  /// Likewise events that nobody waits for, until they are durable.
  by_correlation<message_id> quiet;
  quiet_ends ended_quietly;
  by_correlation<std::unique_ptr<slot>> slots;
  boost::intrusive::list<slot> answered;  // oldest first
  boost::intrusive::multiset<pending_wait, boost::intrusive::constant_time_size<true>> by_deadline;
  forgotten_ids forgotten;

  [[nodiscard]] bool is_new(correlation_id id) const {
    return (slots.empty() || !slots.contains(id)) && (alone.empty() || !alone.contains(id)) &&
           (quiet.empty() || !quiet.contains(id)) && !ended_quietly.contains(id);
  }

  slot& obtain(correlation_id id) {
    auto* at = find(id);
    return at ? *at : make_slot(id);
  }

  slot* find(correlation_id id) {
    if (auto at = slots.find(id); at != slots.end())
      return at->second.get();
    return slot_of_brief(id);
  }

  /// True: the event `id` has been alone in its conversation until now, where it is durable.
  bool end_quietly(correlation_id correlation, message_id id, std::uint64_t position,
                   steady_time now) {
    auto at = quiet.find(correlation);
    if (at == quiet.end() || at->second != id)
      return false;
    quiet.erase(at);
    ended_quietly.add({correlation, id, position, now});
    return true;
  }

  /// Answered conversations make room, oldest first, until there are no more than this.
  void make_room(std::size_t max) {
    while (answered.size() + ended_quietly.size() > max) {
      const auto* oldest = ended_quietly.oldest();
      if (oldest && (answered.empty() || oldest->ended_at < answered.front().answered_at))
        forgotten.add(ended_quietly.take_oldest().correlation);
      else
        erase(answered.front());
    }
  }

  /// Forgets what was answered at this time or before. Returns the time of the oldest that is left.
  [[nodiscard]] std::optional<steady_time> forget_answered_by(steady_time time) {
    while (!answered.empty() && answered.front().answered_at <= time)
      erase(answered.front());
    const auto* oldest = ended_quietly.oldest();
    while (oldest && oldest->ended_at <= time) {
      forgotten.add(ended_quietly.take_oldest().correlation);
      oldest = ended_quietly.oldest();
    }
    if (answered.empty() && !oldest)
      return std::nullopt;
    auto first = answered.empty() ? steady_time::max() : answered.front().answered_at;
    return oldest ? std::min(first, oldest->ended_at) : first;
  }

  void erase(slot& gone) {
    if (gone.answered)
      answered.erase(answered.iterator_to(gone));
    // Of what nobody asks for nobody can say that it was forgotten; and there is much of it.
    if (!gone.nobody_asks)
      forgotten.add(gone.id);
    auto at = slots.find(gone.id);
    auto owned = std::move(at->second);
    slots.erase(at);
    constexpr std::size_t max_spare = 1024;
    if (spare.size() < max_spare) {
      owned->kept.clear();
      owned->waits.clear();
      owned->dispatches.clear();
      owned->timed_out.clear();
      owned->answered = false;
      owned->unread = 0;
      owned->overflowed = false;
      owned->nobody_asks = false;
      spare.push_back(std::move(owned));
    }
  }

 private:
  // Of a conversation that was kept without one; null: it was not.
  slot* slot_of_brief(correlation_id id) {
    if (auto at = alone.find(id); at != alone.end()) {
      auto wait = std::move(at->second);
      alone.erase(at);
      auto& made = make_slot(id);
      made.dispatches.push_back({.id = wait->bound, .how = {}, .why = nullptr});
      made.waits.push_back(std::move(wait));
      return &made;
    }
    if (auto at = quiet.find(id); at != quiet.end()) {
      auto& made = make_slot(id);
      made.dispatches.push_back({.id = at->second, .how = {}, .why = nullptr});
      quiet.erase(at);
      return &made;
    }
    if (auto event = ended_quietly.take(id)) {
      auto& made = make_slot(id);
      made.dispatches.push_back({.id = event->event, .how = {}, .why = nullptr});
      auto& dispatch = made.dispatches.front();
      dispatch.running = 0;
      dispatch.ended_well = true;
      dispatch.how = accepted{event->position};
      made.unread = event->position;
      made.answered = true;
      made.answered_at = event->ended_at;
      answered.push_back(made);
      return &made;
    }
    return nullptr;
  }

  slot& make_slot(correlation_id id) {
    auto& entry = slots[id];
    if (!entry) {
      if (spare.empty()) {
        entry = std::make_unique<slot>();
      } else {
        entry = std::move(spare.back());
        spare.pop_back();
      }
      entry->id = id;
    }
    return *entry;
  }

  std::vector<std::unique_ptr<slot>> spare;
};

}  // namespace microlith::internal
