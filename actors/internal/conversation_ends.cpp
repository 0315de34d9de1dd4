// How waits end: by messages that pass, by failures, by time, and when the node stops.

#include <microlith/actors/internal/conversation_slots.hpp>

#include <algorithm>

namespace microlith::internal {

void conversations::tell(endings& ended) {
  std::size_t filed = 0;
  std::size_t answered = 0;
  for (const auto& each : ended) {
    filed += each.was_filed ? 1 : 0;
    if (const auto* why = std::get_if<failure>(&each.answer))
      counters_.waits[static_cast<std::size_t>(why->kind)].fetch_add(1, std::memory_order_relaxed);
    else
      ++answered;
  }
  if (answered != 0)
    counters_.waits[wait_answered].fetch_add(answered, std::memory_order_relaxed);
  // Who has its answer may wait for the next at once: there must be room for it.
  if (filed != 0)
    waits_.fetch_sub(filed, std::memory_order_relaxed);
  for (auto& [wait, answer, was_filed] : ended) {
    auto& each = *wait;
    each.complete(std::move(answer), std::move(wait));
  }
  ended.clear();
}

void conversations::tell_late(const std::vector<envelope>& late) {
  for (const auto& message : late) {
    counters_.late_answers.fetch_add(1, std::memory_order_relaxed);
    on_late_answer_(message);
  }
}

void conversations::pass_slot(shard& in, slot& at, const envelope& message, endings& ended,
                              std::vector<envelope>& late) {
  auto before = ended.size();
  for (std::size_t i = 0; i < at.waits.size();) {
    if (at.waits[i]->takes(message)) {
      at.nobody_asks = at.nobody_asks || at.waits[i]->private_conversation;
      ended.emplace_back(unfile(in, at, i), raw_answer{message}, true);
    } else {
      ++i;
    }
  }
  if (ended.size() == before && !at.timed_out.empty()) {
    auto missed = std::find(at.timed_out.begin(), at.timed_out.end(), &message.type());
    if (missed != at.timed_out.end()) {
      at.timed_out.erase(missed);
      late.push_back(message);
    }
  }
  if (!at.nobody_asks)
    at.keep(message, limits_.max_kept_messages);
}

void conversations::pass(const envelope& message, steady_time now) {
  const auto* one = &message;
  conclude(message.head().correlation, {&one, 1}, {}, std::nullopt, now);
}

void conversations::finish_slot(shard& in, slot& at, message_id id, accepted how, endings& ended) {
  auto* dispatch = at.find(id);
  if (dispatch) {
    if (dispatch->running != 0)
      --dispatch->running;
    dispatch->ended_well = dispatch->ended_well || !dispatch->why;
    dispatch->how = how;
  }
  for (std::size_t i = 0; i < at.waits.size();) {
    const auto& wait = *at.waits[i];
    // What a dispatch from outside has caused ends, too, but is not what was asked for.
    bool asked_for = wait.bound == id || (wait.bound.empty() && dispatch);
    if (wait.takes_accepted && asked_for) {
      at.nobody_asks = at.nobody_asks || wait.private_conversation;
      ended.emplace_back(unfile(in, at, i), raw_answer{how}, true);
    } else {
      ++i;
    }
  }
}

bool conversations::end_alone(shard& in, correlation_id correlation,
                              std::span<const envelope* const> passed, message_id id,
                              const std::optional<accepted>& how, endings& ended) {
  auto at = in.alone.find(correlation);
  if (at == in.alone.end())
    return false;
  auto end = [&](raw_answer&& answer) {
    in.by_deadline.erase(in.by_deadline.iterator_to(*at->second));
    ended.emplace_back(std::move(at->second), std::move(answer), true);
    in.alone.erase(at);
    return true;
  };
  const auto& wait = *at->second;
  for (const auto* message : passed) {
    // Where the handling goes on after its answer, somebody within may still wait for its end.
    bool ends = how || message->type().kind == message_kind::response;
    if (ends && message->head().correlation == correlation && wait.takes(*message))
      return end(*message);
  }
  if (passed.empty() && how && wait.takes_accepted && wait.bound == id)
    return end(*how);
  return false;
}

// An event that is durable and its own cause, as events from outside are.
bool conversations::end_quietly(shard& in, correlation_id correlation,
                                std::span<const envelope* const> passed, message_id id,
                                const std::optional<accepted>& how, steady_time now) {
  if (in.quiet.empty() || !how || passed.size() != 1)
    return false;
  const auto& event = *passed.front();
  if (event.head().id != id || event.position == 0)
    return false;
  if (!in.end_quietly(correlation, id, event.position, now))
    return false;
  arm_if_earlier(now + limits_.keep);
  in.make_room(max_answered_);
  return true;
}

void conversations::conclude(correlation_id correlation, std::span<const envelope* const> passed,
                             message_id id, const std::optional<accepted>& how, steady_time now) {
  endings ended;
  conclude(correlation, passed, id, how, now, ended);
  tell(ended);
}

void conversations::conclude(correlation_id correlation, std::span<const envelope* const> passed,
                             message_id id, const std::optional<accepted>& how, steady_time now,
                             endings& ended) {
  for (const auto* message : passed) {
    if (message->head().correlation != correlation)
      pass(*message, now);
  }
  std::vector<envelope> late;
  {
    auto& in = shard_of(correlation);
    std::lock_guard lock{in.mutex};
    if (end_quietly(in, correlation, passed, id, how, now) ||
        end_alone(in, correlation, passed, id, how, ended))
      return;
    auto* at = in.find(correlation);
    if (!at)
      return;
    for (const auto* message : passed) {
      if (message->head().correlation == correlation)
        pass_slot(in, *at, *message, ended, late);
    }
    if (how)
      finish_slot(in, *at, id, *how, ended);
    settle(in, *at, now);
  }
  tell_late(late);
}

bool conversations::fail(correlation_id correlation, message_id root, failure why,
                         steady_time now) {
  endings ended;
  bool dealt_with = false;
  {
    auto& in = shard_of(correlation);
    std::lock_guard lock{in.mutex};
    auto* at = in.find(correlation);
    if (!at)
      return false;
    // A handler that waits for this very message deals with its failure; only where none does, it
    // is the failure of the whole.
    dealt_with = std::any_of(at->waits.begin(), at->waits.end(), [&](const auto& wait) {
      return wait->precedes_its_dispatch() && wait->bound == why.message;
    });
    for (std::size_t i = 0; i < at->waits.size();) {
      const auto& bound = at->waits[i]->bound;
      bool concerned = bound == why.message || (!dealt_with && (bound.empty() || bound == root));
      if (concerned) {
        at->nobody_asks = at->nobody_asks || at->waits[i]->private_conversation;
        ended.emplace_back(unfile(in, *at, i), raw_answer{why}, true);
      } else {
        ++i;
      }
    }
    if (auto* dispatch = at->find(dealt_with ? why.message : root)) {
      if (dispatch->id == why.message && dispatch->running != 0)
        --dispatch->running;
      if (!dispatch->why)
        dispatch->why = std::make_unique<failure>(std::move(why));
    }
    settle(in, *at, now);
  }
  tell(ended);
  return dealt_with;
}

void conversations::unsent(correlation_id correlation, failure why, steady_time now) {
  endings ended;
  {
    auto& in = shard_of(correlation);
    std::lock_guard lock{in.mutex};
    auto* at = in.find(correlation);
    if (!at)
      return;
    for (std::size_t i = 0; i < at->waits.size();) {
      if (at->waits[i]->bound == why.message)
        ended.emplace_back(unfile(in, *at, i), raw_answer{why}, true);
      else
        ++i;
    }
    settle(in, *at, now);
  }
  tell(ended);
}

steady_time conversations::expire(steady_time now) {
  armed_.store(steady_time::max().time_since_epoch().count(), std::memory_order_relaxed);
  auto next = steady_time::max();
  for (std::size_t i = 0; i < shard_count_; ++i) {
    endings ended;
    auto& in = shards_[i];
    {
      std::lock_guard lock{in.mutex};
      while (!in.by_deadline.empty() && in.by_deadline.begin()->deadline <= now) {
        auto& late = *in.by_deadline.begin();
        auto& at = *in.find(late.correlation);
        auto index = static_cast<std::size_t>(
            std::find_if(at.waits.begin(), at.waits.end(),
                         [&](const auto& wait) { return wait.get() == &late; }) -
            at.waits.begin());
        auto wait = unfile(in, at, index);
        constexpr std::size_t max_timed_out = 16;
        for (const auto* type : wait->types) {
          if (at.timed_out.size() < max_timed_out)
            at.timed_out.push_back(type);
        }
        auto why = timeout_failure(*wait);
        ended.emplace_back(std::move(wait), raw_answer{std::move(why)}, true);
        settle(in, at, now);
      }
      if (auto oldest = in.forget_answered_by(now - limits_.keep))
        next = std::min(next, *oldest + limits_.keep);
      if (!in.by_deadline.empty())
        next = std::min(next, in.by_deadline.begin()->deadline);
    }
    tell(ended);
  }
  if (next != steady_time::max()) {
    auto wanted = next.time_since_epoch().count();
    auto armed = armed_.load(std::memory_order_relaxed);
    while (wanted < armed &&
           !armed_.compare_exchange_weak(armed, wanted, std::memory_order_relaxed)) {
    }
  }
  return next;
}

void conversations::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  for (std::size_t i = 0; i < shard_count_; ++i) {
    endings ended;
    {
      auto& in = shards_[i];
      std::lock_guard lock{in.mutex};
      while (!in.alone.empty())
        static_cast<void>(in.obtain(in.alone.begin()->first));
      for (auto& [id, at] : in.slots) {
        while (!at->waits.empty())
          ended.emplace_back(unfile(in, *at, at->waits.size() - 1), raw_answer{stopped_failure()},
                             true);
      }
    }
    tell(ended);
  }
}

}  // namespace microlith::internal
