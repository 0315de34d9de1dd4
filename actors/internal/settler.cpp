#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/settler.hpp>
#include <microlith/actors/internal/settling.hpp>

#include <utility>

namespace microlith::internal {

namespace {

/// So many waits are told that they have ended before the next of a large commit are looked at.
constexpr std::size_t max_gathered = 128;

// A large batch has left the nearer caches by the time it is durable.
void prefetch_next(const std::vector<std::unique_ptr<append_job>>& jobs, std::size_t at) {
  constexpr std::size_t events_ahead = 4;
  constexpr std::size_t jobs_ahead = 2 * events_ahead;
  if (at + jobs_ahead < jobs.size()) {
    const auto& job = *jobs[at + jobs_ahead];
    __builtin_prefetch(&job.request.events);
    __builtin_prefetch(&job.then_send);
    __builtin_prefetch(&job.report_to);
  }
  if (at + events_ahead < jobs.size() && !jobs[at + events_ahead]->request.events.empty()) {
    if (const auto& event = jobs[at + events_ahead]->request.events.front().message) {
      __builtin_prefetch(&event.head());
      __builtin_prefetch(event.body());
    }
  }
}

}  // namespace

settler::settler(runtime& of) : node_{of.actors()}, subscribers_{node_.subscribers.get()} {}

void settler::settle(committed_batch& batch) {
  auto now = node_.coarse_now();
  look_at_subscribers();
  for (std::size_t i = 0; i < batch.jobs.size(); ++i) {
    prefetch_next(batch.jobs, i);
    settle(*batch.jobs[i], std::move(batch.outcomes[i]), now);
    // Who gets an answer may be the last to hold it, and need not copy it then.
    batch.jobs[i].reset();
    if (gathered_.waits.size() >= max_gathered)
      tell_waits();
  }
  tell_waits();
  if (node_.others)
    node_.others->published_all();
  send_outbox();
  for (auto& [target, reports] : reports_)
    target->report(std::move(reports));
  reports_.clear();
  ring_followers(batch.wrote);
}

void settler::publish(const event_batch& published) {
  look_at_subscribers();
  for (const auto& message : published.messages)
    tell_subscribers(message);
  send_outbox();
  look_at_followers();
}

void settler::settle(append_job& job, append_outcome&& outcome, steady_time now) {
  if (job.asked_by) {
    settle_elsewhere(job, std::move(outcome), now);
    return;
  }
  std::visit(overloaded{
                 [&](const appended& done) { succeeded(job, done.last_position, now); },
                 [&](const already_appended& before) { replayed(job, before, now); },
                 [&](const append_conflict& conflict) { end_badly(node_, job, conflict, now); },
                 [&](const append_refused& refused) { end_badly(node_, job, refused, now); },
             },
             outcome);
  if (job.report_to != nullptr)
    reports_[job.report_to].add(std::move(outcome));
}

// Another node asked: what follows from the outcome, it does itself.
void settler::settle_elsewhere(append_job& job, append_outcome&& outcome, steady_time now) {
  if (std::holds_alternative<appended>(outcome)) {
    if (auto before = earlier_events(job)) {
      outcome = *before;
    } else {
      list_passing(job);
      node_.concluded(job.cause, passing_, std::nullopt, now, gathered_);
      for (const auto* message : passing_)
        tell_subscribers(*message);
    }
  }
  if (const auto* before = std::get_if<already_appended>(&outcome))
    node_.replay(job.cause, *before);
  node_.others->report(job, job.request, outcome);
}

void settler::succeeded(append_job& job, std::uint64_t position, steady_time now) {
  drop_what_built_on_a_refusal(node_, job, now);
  if (auto before = earlier_events(job)) {
    replayed(job, *before, now);
    return;
  }
  if (job.progress && position != 0)
    job.progress->position.store(position);
  // Waits first, then subscribers, in the order of the journal.
  list_passing(job);
  node_.concluded(job.cause, passing_, ends_well(job, position), now, gathered_);
  for (const auto* message : passing_)
    tell_subscribers(*message);
  if (!job.then_send.empty())
    tell_waits();
  for (auto& each : job.then_send)
    node_.forward(each.bus, std::move(each.message));
}

void settler::replayed(append_job& job, const already_appended& before, steady_time now) {
  node_.replay(job.cause, before);
  end_as_before(node_, job, before, now);
}

// Whether a command that now caused nothing to be journaled did so before: then its answer is that.
std::optional<already_appended> settler::earlier_events(const append_job& job) const {
  if (!job.ends_cause || !job.request.events.empty() || job.progress ||
      job.cause.type().kind != message_kind::command)
    return std::nullopt;
  auto found = node_.journal->append_of(job.cause.head().id);
  if (!found || !*found)
    return std::nullopt;
  return already_appended{(*found)->first, (*found)->last};
}

void settler::list_passing(const append_job& job) {
  passing_.clear();
  for (const auto& event : job.request.events)
    passing_.push_back(&event.message);
  for (const auto& rejection : job.rejections)
    passing_.push_back(&rejection);
}

// Waits hear of a message before anybody else does.
void settler::tell_waits() {
  node_.tell(gathered_);
}

// Those on this node.
void settler::tell_subscribers(const envelope& given) {
  count(given.type());
  // What another node wrote may be of a type that subscribers here know otherwise.
  envelope translated;
  bool is_foreign = node_.others && cluster::is_foreign(given);
  if (is_foreign && !(translated = node_.others->own_form(given)))
    return;
  const auto& message = is_foreign ? translated : given;
  auto at = subscribers_->find(&message.type());
  if (at == subscribers_->end())
    return;
  for (const auto& subscriber : at->second) {
    auto& to = *subscriber;
    // One that has missed something misses the rest of this commit, too: it hears what it missed
    // before what follows.
    bool lags = to.pending.load(std::memory_order_acquire) >= to.options.max_pending ||
                (to.missed_from != 0 && outbox_.contains(&to));
    if (lags) {
      node_.counters.missed_by_subscribers.fetch_add(1, std::memory_order_relaxed);
      if (message.position != 0) {
        to.missed_from = to.missed_from == 0 ? message.position : to.missed_from;
        to.missed_to = message.position;
      }
      continue;
    }
    if (to.native) {
      tell_waits();
      caf::anon_send(to.native, message);
      continue;
    }
    to.pending.fetch_add(1, std::memory_order_acq_rel);
    auto [batch, is_new] = outbox_.try_emplace(&to);
    if (is_new)
      outbox_order_.push_back(&to);
    if (batch->second.messages.empty() && to.missed_from != 0) {
      batch->second.missed_from = std::exchange(to.missed_from, 0);
      batch->second.missed_to = std::exchange(to.missed_to, 0);
    }
    batch->second.messages.push_back(message);
  }
}

void settler::send_outbox() {
  for (auto* to : outbox_order_) {
    auto& batch = outbox_[to];
    caf::anon_send(to->function, std::move(batch));
  }
  outbox_.clear();
  outbox_order_.clear();
}

void settler::ring_followers(bool wrote) {
  look_at_followers();
  if (!wrote)
    return;
  if (node_.others)
    node_.others->ring(node_.journal->last_position());
  auto ring = [](const auto& all) {
    for (const auto& [name, follower] : all) {
      if (!follower->rung.exchange(true, std::memory_order_acq_rel))
        caf::anon_send(follower->actor, bell_atom::value);
    }
  };
  ring(*projectors_);
  ring(*durables_);
}

void settler::count(const message_type& type) {
  auto& counter = counts_[&type];
  if (!counter) {
    counter = std::make_shared<std::atomic<std::uint64_t>>(0);
    node_.event_counts.update([&](auto& all) { all[&type] = counter; });
  }
  // Nobody else writes it.
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void settler::look_at_subscribers() {
  if (auto version = node_.subscribers.version(); version != subscribers_version_) {
    subscribers_ = node_.subscribers.get();
    subscribers_version_ = version;
  }
}

void settler::look_at_followers() {
  if (auto version = node_.projectors.version(); version != projectors_version_) {
    projectors_ = node_.projectors.get();
    projectors_version_ = version;
  }
  if (auto version = node_.durables.version(); version != durables_version_) {
    durables_ = node_.durables.get();
    durables_version_ = version;
  }
}

}  // namespace microlith::internal
