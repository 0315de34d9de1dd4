#include <microlith/actors/internal/conversation_slots.hpp>

#include <algorithm>

namespace microlith::internal {

conversations::conversations(conversation_limits limits, statistics_counters& counters,
                             std::function<void(steady_time)> arm,
                             std::function<void(const envelope&)> on_late_answer,
                             recall_event recall)
    : limits_{limits},
      counters_{counters},
      arm_{std::move(arm)},
      on_late_answer_{std::move(on_late_answer)},
      recall_{std::move(recall)},
      shard_count_{std::clamp<std::size_t>(limits.max_answered_slots / min_answered_in_a_shard, 1,
                                           max_shards)},
      max_answered_{std::max<std::size_t>(1, limits.max_answered_slots / shard_count_)},
      shards_{std::make_unique<shard[]>(shard_count_)} {}

conversations::~conversations() {
  for (std::size_t i = 0; i < shard_count_; ++i) {
    shards_[i].by_deadline.clear();
    shards_[i].answered.clear();
  }
}

// Conversations that begin one after the other lie together: whoever begins them and whoever ends
// them a moment later then mostly work at different shards, and neither waits for the other's
// cache.
conversations::shard& conversations::shard_of(correlation_id id) {
  constexpr int together_bits = 5;
  auto mixed = (id.high >> together_bits) * 0x9E37'79B9'7F4A'7C15ULL;
  return shards_[(mixed >> 32) % shard_count_];
}

std::size_t conversations::slots() const {
  std::size_t all = 0;
  for (std::size_t i = 0; i < shard_count_; ++i) {
    std::lock_guard lock{shards_[i].mutex};
    all += shards_[i].slots.size() + shards_[i].alone.size() + shards_[i].quiet.size() +
           shards_[i].ended_quietly.size();
  }
  return all;
}

// Keeps the invariants of a slot after a change: answered slots are in the list that makes room, or
// gone where nobody can ask for them.
void conversations::settle(shard& in, slot& at, steady_time now) {
  bool answered = at.waits.empty() && !at.running();
  if (answered && at.nobody_asks) {
    in.erase(at);
    return;
  }
  if (answered == at.answered)
    return;
  if (!answered) {
    in.answered.erase(in.answered.iterator_to(at));
    at.answered = false;
    return;
  }
  at.answered = true;
  at.answered_at = now;
  in.answered.push_back(at);
  arm_if_earlier(now + limits_.keep);
  in.make_room(max_answered_);
}

std::unique_ptr<pending_wait> conversations::unfile(shard& in, slot& at, std::size_t index) {
  auto wait = std::move(at.waits[index]);
  at.waits.erase(at.waits.begin() + static_cast<std::ptrdiff_t>(index));
  in.by_deadline.erase(in.by_deadline.iterator_to(*wait));
  return wait;
}

void conversations::arm_if_earlier(steady_time when) {
  auto wanted = when.time_since_epoch().count();
  auto armed = armed_.load(std::memory_order_relaxed);
  while (wanted < armed) {
    if (armed_.compare_exchange_weak(armed, wanted, std::memory_order_relaxed)) {
      arm_(when);
      return;
    }
  }
}

std::pair<conversations::slot&, opening> conversations::open_slot(shard& in,
                                                                  correlation_id correlation,
                                                                  opened_dispatch dispatch) {
  auto& at = in.obtain(correlation);
  if (at.dispatches.empty()) {
    at.nobody_asks = false;
    at.dispatches.push_back({.id = dispatch.id, .how = {}, .why = nullptr});
    settle(in, at, {});
    bool had_slot = dispatch.once && at.waits.empty() && in.forgotten.contains(correlation);
    return {at, had_slot ? opening::again : opening::first};
  }
  const auto* before = at.find(dispatch.id);
  if (dispatch.once && before && before->running != 0)
    return {at, opening::while_running};
  auto how = before ? opening::again : opening::first;
  at.nobody_asks = false;
  auto over = std::count_if(at.dispatches.begin(), at.dispatches.end(),
                            [](const open_dispatch& d) { return d.running == 0; }) -
              static_cast<std::ptrdiff_t>(limits_.max_kept_messages);
  auto gone = [&](open_dispatch& d) {
    bool failed = std::exchange(d.why, nullptr) != nullptr;
    return d.running == 0 && ((failed && !d.ended_well) || over-- > 0);
  };
  at.dispatches.erase(std::remove_if(at.dispatches.begin(), at.dispatches.end(), gone),
                      at.dispatches.end());
  if (auto* again = at.find(dispatch.id)) {
    ++again->running;
    if (dispatch.once) {  // what it came to before is no answer to this one
      again->ended_well = false;
      at.forget(dispatch.id);
    }
  } else {
    at.dispatches.push_back({.id = dispatch.id, .how = {}, .why = nullptr});
  }
  settle(in, at, {});  // a running dispatch: never answered, so the time does not matter
  return {at, how};
}

opening conversations::open(correlation_id correlation, opened_dispatch dispatch) {
  auto& in = shard_of(correlation);
  std::lock_guard lock{in.mutex};
  if (dispatch.is_event && recall_ && in.is_new(correlation)) {
    in.quiet.emplace(correlation, dispatch.id);
    return opening::first;
  }
  return open_slot(in, correlation, dispatch).second;
}

void conversations::refuse(correlation_id correlation, failure why, steady_time now) {
  auto id = why.message;
  // The one that runs is not refused.
  if (open(correlation, {.id = id, .once = true}) != opening::while_running)
    static_cast<void>(fail(correlation, id, std::move(why), now));
}

// Reads without the lock: the slot may be another one afterwards, or gone.
std::optional<raw_answer> conversations::recall(std::unique_lock<brief_mutex>& lock,
                                                std::uint64_t position, const pending_wait& wait) {
  lock.unlock();
  auto event = recall_(position, wait.types);
  lock.lock();
  if (!event)
    return event.error();
  if (*event && wait.takes(**event))
    return std::move(**event);
  return std::nullopt;
}

std::optional<raw_answer> conversations::known_end(const shard& in, const slot* at, bool is_new,
                                                   const pending_wait& wait, steady_time now) {
  if (stopped_.load(std::memory_order_relaxed))
    return stopped_failure();
  if (!is_new && !wait.precedes_its_dispatch()) {
    if (!at && in.forgotten.contains(wait.correlation))
      return forgotten_failure(wait);
    if (auto kept = at ? at->answer_to(wait) : std::nullopt)
      return kept;
  }
  if (wait.deadline <= now)
    return timeout_failure(wait);
  if (waits_.load(std::memory_order_relaxed) >= limits_.max_waits) {
    counters_.count_refused(failure_kind::overloaded);
    return failure{.kind = failure_kind::overloaded,
                   .certainty = certainty::unknown,
                   .text = std::to_string(limits_.max_waits) +
                           " waits are pending, the most this node keeps; try again later",
                   .message = wait.bound};
  }
  return std::nullopt;
}

void conversations::file(shard& in, slot* at, bool is_new, std::unique_ptr<pending_wait> wait,
                         steady_time now) {
  waits_.fetch_add(1, std::memory_order_relaxed);
  in.by_deadline.insert(in.by_deadline.end(), *wait);
  auto correlation = wait->correlation;
  if (is_new) {
    in.alone.emplace(correlation, std::move(wait));
    return;
  }
  auto& slot = at ? *at : in.obtain(correlation);
  slot.waits.push_back(std::move(wait));
  settle(in, slot, now);
}

opening conversations::wait(std::unique_ptr<pending_wait> wait, steady_time now,
                            opened_dispatch dispatch) {
  auto how = opening::first;
  auto deadline = wait->deadline;
  std::optional<raw_answer> known;
  {
    auto& in = shard_of(wait->correlation);
    std::unique_lock lock{in.mutex};
    slot* at = nullptr;
    // Its own caller's, who alone knows it, and nothing can be known of it.
    bool is_new = wait->private_conversation && !dispatch.id.empty() &&
                  wait->bound == dispatch.id && in.is_new(wait->correlation);
    if (dispatch.id.empty()) {
      at = in.find(wait->correlation);
    } else if (!is_new) {
      auto opened = open_slot(in, wait->correlation, dispatch);
      at = &opened.first;
      how = opened.second;
    }
    if (at && at->unread != 0 && !stopped_.load(std::memory_order_relaxed) &&
        !wait->precedes_its_dispatch()) {
      known = recall(lock, at->unread, *wait);
      at = in.find(wait->correlation);
    }
    if (!known)
      known = known_end(in, at, is_new, *wait, now);
    if (!known)
      file(in, at, is_new, std::move(wait), now);
  }
  if (!known) {
    arm_if_earlier(deadline);
    return how;
  }
  // A slot that held the answer stays: the same wait again finds the same answer.
  endings ended;
  ended.emplace_back(std::move(wait), std::move(*known), false);
  tell(ended);
  return how;
}

}  // namespace microlith::internal
