#include <microlith/actors/internal/conversation_slots.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

failure stopped_failure() {
  return {.kind = failure_kind::stopped,
          .certainty = certainty::unknown,
          .text = "the node is stopping; ask again when it has restarted",
          .message = {}};
}

failure timeout_failure(const pending_wait& wait) {
  std::string text = "no ";
  for (std::size_t i = 0; i < wait.types.size(); ++i) {
    text += i == 0 ? "" : " or ";
    text += wait.types[i]->name;
  }
  if (wait.types.empty())
    text += "outcome";
  text += " within " + std::to_string(wait.limit.count()) + " ms in conversation " +
          to_string(wait.correlation);
  return {.kind = failure_kind::timeout,
          .certainty = certainty::unknown,
          .text = std::move(text),
          .message = wait.bound};
}

failure forgotten_failure(const pending_wait& wait) {
  return {.kind = failure_kind::forgotten,
          .certainty = certainty::unknown,
          .text = "what passed in conversation " + to_string(wait.correlation) +
                  " has made room for other messages; wait sooner, or raise max_answered_slots",
          .message = wait.bound};
}

}  // namespace

bool pending_wait::takes(const envelope& message) const {
  if (std::find(types.begin(), types.end(), &message.type()) == types.end())
    return false;
  const auto& head = message.head();
  if (bound.empty())
    return true;
  if (message.type().kind == message_kind::response)
    return head.causation == bound;
  if (bound_to_root)
    return head.root == bound;
  // What a sibling of `bound` causes directly names the sibling; of what lies deeper nobody knows
  // more than the conversation.
  return head.causation == bound || head.depth > bound_depth + 1;
}

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
    all += shards_[i].slots.size() + shards_[i].alone.size() + shards_[i].quiet.size();
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
    in.quiet.emplace(correlation, quiet_event{.id = dispatch.id, .ended_at = {}});
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

opening conversations::wait(std::unique_ptr<pending_wait> wait, steady_time now,
                            opened_dispatch dispatch) {
  auto how = opening::first;
  endings ended;
  auto end = [&](raw_answer answer) {
    ended.emplace_back(std::move(wait), std::move(answer), false);
  };
  auto deadline = wait->deadline;
  {
    auto& in = shard_of(wait->correlation);
    std::unique_lock lock{in.mutex};
    slot* at = nullptr;
    bool alone = wait->private_conversation && !dispatch.id.empty() && wait->bound == dispatch.id &&
                 in.is_new(wait->correlation);
    if (alone) {
      // Nothing can be known of it.
    } else if (dispatch.id.empty()) {
      at = in.find(wait->correlation);
    } else {
      auto opened = open_slot(in, wait->correlation, dispatch);
      at = &opened.first;
      how = opened.second;
    }
    bool stopped = stopped_.load(std::memory_order_relaxed);
    if (at && at->unread != 0 && !stopped && !wait->precedes_its_dispatch()) {
      auto position = at->unread;
      auto correlation = wait->correlation;
      lock.unlock();
      auto event = recall_(position, wait->types);
      if (!event)
        end(event.error());
      else if (*event && wait->takes(**event))
        end(std::move(**event));
      lock.lock();
      at = ended.empty() ? in.find(correlation) : nullptr;
      stopped = stopped_.load(std::memory_order_relaxed);
    }
    if (!ended.empty()) {
      // The slot stays: the same wait again finds the same answer.
    } else if (stopped) {
      end(stopped_failure());
    } else if (!at && !alone && !wait->precedes_its_dispatch() &&
               in.forgotten.contains(wait->correlation)) {
      end(forgotten_failure(*wait));
    } else {
      bool done = false;
      if (at && !wait->precedes_its_dispatch()) {
        for (const auto& message : at->kept) {
          if (wait->takes(message)) {
            end(message);
            done = true;
            break;
          }
        }
        for (auto& d : at->dispatches) {
          if (done || (!wait->bound.empty() && d.id != wait->bound))
            continue;
          if (d.ended_well && wait->takes_accepted) {
            end(d.how);
            done = true;
          } else if (d.why) {
            end(*d.why);
            done = true;
          }
        }
        if (!done && at->overflowed && wait->bound.empty()) {
          end(forgotten_failure(*wait));
          done = true;
        }
      }
      if (done) {
        // As above.
      } else if (deadline <= now) {
        end(timeout_failure(*wait));
      } else if (waits_.load(std::memory_order_relaxed) >= limits_.max_waits) {
        counters_.count_refused(failure_kind::overloaded);
        end(failure{.kind = failure_kind::overloaded,
                    .certainty = certainty::unknown,
                    .text = std::to_string(limits_.max_waits) +
                            " waits are pending, the most this node keeps; try again later",
                    .message = wait->bound});
      } else {
        waits_.fetch_add(1, std::memory_order_relaxed);
        in.by_deadline.insert(in.by_deadline.end(), *wait);
        if (alone) {
          auto correlation = wait->correlation;
          in.alone.emplace(correlation, std::move(wait));
        } else {
          auto& slot = at ? *at : in.obtain(wait->correlation);
          slot.waits.push_back(std::move(wait));
          settle(in, slot, now);
        }
      }
    }
  }
  if (ended.empty())
    arm_if_earlier(deadline);
  tell(ended);
  return how;
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
  auto at = in.quiet.find(correlation);
  if (at == in.quiet.end() || at->second.id != id || at->second.position != 0)
    return false;
  in.end_quietly(at->second, correlation, event.position, now);
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
