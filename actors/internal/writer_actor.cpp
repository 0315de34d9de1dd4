// The far side of the event bus: appends, and publishes what is durable.
//
// Group commit without a timer: one transaction takes all that waits. While it syncs, the next
// batch collects in the inbox; then the writer reads on by itself, or a bell that it sent itself
// makes it do so. The writer ends waits itself: one hop less beside the sync.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/settling.hpp>
#include <microlith/persistence/internal/prefetch.hpp>

#include <algorithm>
#include <optional>
#include <thread>

namespace microlith::internal {

namespace {

/// So many waits are told that they have ended before the next of a large commit are looked at.
constexpr std::size_t max_gathered = 128;

/// Past it a batch is committed without waiting for what else has arrived.
constexpr std::size_t max_batch_events = 16'384;

// After a commit the next job is often a few microseconds away: a caller that waits for one answer
// asks for the next. Looking out for it that long spares the caller the waking of a sleeping
// thread, which costs 25 µs. Only while that is how jobs come: an idle node does not spin.
class idle_watch {
 public:
  /// A job has come by bell.
  void rung() { worth_it_ = worth_it_ || steady::now() - since_ < limit; }

  /// After a commit of so many jobs. True: there is more.
  [[nodiscard]] bool watch(inbox<std::unique_ptr<append_job>>& waiting, std::size_t committed) {
    if (waiting.filled()) {
      waiting.attend();
      return true;
    }
    since_ = steady::now();
    // Where many jobs come at once, other threads have better use for the processor.
    if (!worth_it_ || committed > max_jobs || std::thread::hardware_concurrency() < 2)
      return false;
    waiting.attend();
    while (!waiting.filled()) {
      if (steady::now() - since_ >= limit) {
        worth_it_ = false;
        return true;  // to be read once more: it is no longer attended then
      }
      std::this_thread::yield();
    }
    return true;
  }

 private:
  using steady = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds limit{60};
  static constexpr std::size_t max_jobs = 4;
  steady::time_point since_;
  bool worth_it_ = false;
};

struct writer_state {
  runtime* node = nullptr;
  std::vector<std::unique_ptr<append_job>> jobs;
  std::vector<append_request*> requests;  // theirs
  std::vector<const envelope*> passing;   // what one job publishes
  conclusions gathered;                   // of this commit, and not told yet
  std::size_t events = 0;
  idle_watch idle;
  std::shared_ptr<const subscriber_table> subscribers;
  std::uint64_t subscribers_version = 0;
  std::shared_ptr<const projector_table> projectors;
  std::uint64_t projectors_version = 0;
  std::shared_ptr<const durable_table> durables;
  std::uint64_t durables_version = 0;
  boost::unordered_flat_map<live_subscriber*, event_batch> outbox;
  std::vector<live_subscriber*> outbox_order;
  boost::unordered_flat_map<const message_type*, std::shared_ptr<std::atomic<std::uint64_t>>>
      counts;
  boost::unordered_flat_map<report_target*, append_reports> reports;

  // A burst must not hold its memory for ever.
  void clear_batch() {
    events = 0;
    jobs.clear();
    requests.clear();
    if (jobs.capacity() > 2 * max_batch_events) {
      jobs = std::vector<std::unique_ptr<append_job>>{};
      requests = std::vector<append_request*>{};
    }
  }
};

using writer_self = writer_actor::stateful_pointer<writer_state>;

void count(writer_state& state, const message_type& type) {
  auto& counter = state.counts[&type];
  if (!counter) {
    counter = std::make_shared<std::atomic<std::uint64_t>>(0);
    state.node->actors().event_counts.update([&](auto& all) { all[&type] = counter; });
  }
  // Nobody else writes it.
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Waits hear of a message before anybody else does.
void tell_waits(writer_state& state) {
  state.node->actors().tell(state.gathered);
}

void look_at_subscribers(writer_state& state) {
  auto& node = state.node->actors();
  if (auto version = node.subscribers.version(); version != state.subscribers_version) {
    state.subscribers = node.subscribers.get();
    state.subscribers_version = version;
  }
}

void look_at_followers(writer_state& state) {
  auto& node = state.node->actors();
  if (auto version = node.projectors.version(); version != state.projectors_version) {
    state.projectors = node.projectors.get();
    state.projectors_version = version;
  }
  if (auto version = node.durables.version(); version != state.durables_version) {
    state.durables = node.durables.get();
    state.durables_version = version;
  }
}

// Those on this node.
void tell_subscribers(writer_state& state, const envelope& given) {
  auto& node = state.node->actors();
  count(state, given.type());
  // What another node wrote may be of a type that subscribers here know otherwise.
  envelope translated;
  bool is_foreign = node.others && cluster::is_foreign(given);
  if (is_foreign && !(translated = node.others->own_form(given)))
    return;
  const auto& message = is_foreign ? translated : given;
  auto at = state.subscribers->find(&message.type());
  if (at == state.subscribers->end())
    return;
  for (const auto& subscriber : at->second) {
    auto& to = *subscriber;
    // One that has missed something misses the rest of this commit, too: it hears what it missed
    // before what follows.
    bool lags = to.pending.load(std::memory_order_acquire) >= to.options.max_pending ||
                (to.missed_from != 0 && state.outbox.contains(&to));
    if (lags) {
      node.counters.missed_by_subscribers.fetch_add(1, std::memory_order_relaxed);
      if (message.position != 0) {
        to.missed_from = to.missed_from == 0 ? message.position : to.missed_from;
        to.missed_to = message.position;
      }
      continue;
    }
    if (to.native) {
      tell_waits(state);
      caf::anon_send(to.native, message);
      continue;
    }
    to.pending.fetch_add(1, std::memory_order_acq_rel);
    auto [batch, is_new] = state.outbox.try_emplace(&to);
    if (is_new)
      state.outbox_order.push_back(&to);
    if (batch->second.messages.empty() && to.missed_from != 0) {
      batch->second.missed_from = std::exchange(to.missed_from, 0);
      batch->second.missed_to = std::exchange(to.missed_to, 0);
    }
    batch->second.messages.push_back(message);
  }
}

void send_outbox(writer_state& state) {
  for (auto* to : state.outbox_order) {
    auto& batch = state.outbox[to];
    caf::anon_send(to->function, std::move(batch));
  }
  state.outbox.clear();
  state.outbox_order.clear();
}

// Whether a command that now caused nothing to be journaled did so before: then its answer is that.
std::optional<already_appended> earlier_events(writer_state& state, const append_job& job) {
  if (!job.ends_cause || !job.request.events.empty() || job.progress ||
      job.cause.type().kind != message_kind::command)
    return std::nullopt;
  auto found = state.node->actors().journal->append_of(job.cause.head().id);
  if (!found || !*found)
    return std::nullopt;
  return already_appended{(*found)->first, (*found)->last};
}

void replayed(writer_state& state, append_job& job, const already_appended& before,
              steady_time now) {
  auto& node = state.node->actors();
  node.replay(job.cause, before);
  end_as_before(node, job, before, now);
}

void succeeded(writer_state& state, append_job& job, std::uint64_t position, steady_time now) {
  const auto& request = job.request;
  auto& node = state.node->actors();
  drop_what_built_on_a_refusal(node, job, now);
  if (auto before = earlier_events(state, job)) {
    replayed(state, job, *before, now);
    return;
  }
  if (job.progress && position != 0)
    job.progress->position.store(position);
  // Waits first, then subscribers, in the order of the journal.
  state.passing.clear();
  for (const auto& event : request.events)
    state.passing.push_back(&event.message);
  for (const auto& rejection : job.rejections)
    state.passing.push_back(&rejection);
  node.concluded(job.cause, state.passing, ends_well(job, position), now, state.gathered);
  for (const auto* message : state.passing)
    tell_subscribers(state, *message);
  if (!job.then_send.empty())
    tell_waits(state);
  for (auto& each : job.then_send)
    node.forward(each.bus, std::move(each.message));
}

// Another node asked: what follows from the outcome, it does itself.
void settle_elsewhere(writer_state& state, append_job& job, append_outcome&& outcome,
                      steady_time now) {
  const auto& request = job.request;
  auto& node = state.node->actors();
  if (std::holds_alternative<appended>(outcome)) {
    if (auto before = earlier_events(state, job)) {
      outcome = *before;
    } else {
      state.passing.clear();
      for (const auto& event : request.events)
        state.passing.push_back(&event.message);
      for (const auto& rejection : job.rejections)
        state.passing.push_back(&rejection);
      node.concluded(job.cause, state.passing, std::nullopt, now, state.gathered);
      for (const auto* message : state.passing)
        tell_subscribers(state, *message);
    }
  }
  if (const auto* before = std::get_if<already_appended>(&outcome))
    node.replay(job.cause, *before);
  node.others->report(job, job.request, outcome);
}

void settle(writer_state& state, append_job& job, append_outcome&& outcome, steady_time now) {
  auto& node = state.node->actors();
  if (job.asked_by) {
    settle_elsewhere(state, job, std::move(outcome), now);
    return;
  }
  std::visit(overloaded{
                 [&](const appended& done) { succeeded(state, job, done.last_position, now); },
                 [&](const already_appended& before) { replayed(state, job, before, now); },
                 [&](const append_conflict& conflict) { end_badly(node, job, conflict, now); },
                 [&](const append_refused& refused) { end_badly(node, job, refused, now); },
             },
             outcome);
  if (job.report_to != nullptr)
    state.reports[job.report_to].add(std::move(outcome));
}

// A large batch has left the nearer caches by the time it is durable.
void prefetch_next(const std::vector<std::unique_ptr<append_job>>& jobs, std::size_t at) {
  constexpr std::size_t jobs_ahead = 2 * events_ahead;
  if (at + jobs_ahead < jobs.size()) {
    const auto& job = *jobs[at + jobs_ahead];
    prefetch(job.request);
    __builtin_prefetch(&job.then_send);
    __builtin_prefetch(&job.report_to);
  }
  if (at + events_ahead < jobs.size() && !jobs[at + events_ahead]->request.events.empty())
    prefetch(jobs[at + events_ahead]->request.events.front());
}

void commit(writer_state& state) {
  auto& node = state.node->actors();
  auto& jobs = state.jobs;
  auto& requests = state.requests;
  if (jobs.empty())
    return;
  std::vector<append_outcome> outcomes;
  bool writes = std::any_of(requests.begin(), requests.end(), [](const append_request* r) {
    return !r->events.empty() || !r->checks.empty();
  });
  if (writes) {
    auto before = node.journal->last_position();
    auto start = std::chrono::steady_clock::now();
    outcomes = node.journal->append(append_batch{requests});
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (auto written = node.journal->last_position() - before; written != 0) {
      node.counters.commit_batch_events.observe(static_cast<double>(written));
      node.counters.commit_duration_seconds.observe(took.count());
    }
  } else {
    outcomes.assign(requests.size(), append_outcome{appended{}});
  }
  auto now = node.coarse_now();
  look_at_subscribers(state);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    prefetch_next(jobs, i);
    settle(state, *jobs[i], std::move(outcomes[i]), now);
    // Who gets an answer may be the last to hold it, and need not copy it then.
    jobs[i].reset();
    if (state.gathered.waits.size() >= max_gathered)
      tell_waits(state);
  }
  tell_waits(state);
  if (node.others)
    node.others->published_all();
  state.clear_batch();
  send_outbox(state);
  for (auto& [target, reports] : state.reports)
    target->report(std::move(reports));
  state.reports.clear();
  look_at_followers(state);
  if (writes && node.others)
    node.others->ring(node.journal->last_position());
  for (const auto& [name, projector] : *state.projectors) {
    if (writes && !projector->rung.exchange(true, std::memory_order_acq_rel))
      caf::anon_send(projector->actor, bell_atom::value);
  }
  for (const auto& [name, durable] : *state.durables) {
    if (writes && !durable->rung.exchange(true, std::memory_order_acq_rel))
      caf::anon_send(durable->actor, bell_atom::value);
  }
}

// Takes what waits, up to a bound. False: there is nothing more.
bool collect(writer_state& state) {
  auto& waiting = state.node->actors().to_append;
  while (state.events < max_batch_events) {
    auto* next = waiting.next();
    if (!next)
      return false;
    auto& job = *next;
    if (job->progress && job->progress->ended()) {
      unsent(state.node->actors(), *job, earlier_step_failed(*job), state.node->steady_now());
      continue;
    }
    state.events += job->request.events.size() + 1;
    state.requests.push_back(&job->request);
    state.jobs.push_back(std::move(job));
  }
  return true;
}

void commit_all(writer_state& state) {
  for (bool more = true; more;) {
    more = collect(state);
    commit(state);
  }
}

writer_actor::behavior_type writer_behavior(writer_self self, runtime* node) {
  self->state.node = node;
  self->state.subscribers = node->actors().subscribers.get();
  return {
      [self](bell_atom) {
        auto& state = self->state;
        auto& waiting = state.node->actors().to_append;
        state.idle.rung();
        bool more = collect(state);
        auto jobs = state.jobs.size();
        commit(state);
        // One commit a bell, so that other messages have their turn.
        bool watches = jobs != 0 && !state.node->actors().deterministic();
        if (more || (watches && state.idle.watch(waiting, jobs)))
          self->send(self, bell_atom::value);
      },
      [self](event_batch& published) {
        // By the node that has the journal.
        auto& state = self->state;
        look_at_subscribers(state);
        for (const auto& message : published.messages)
          tell_subscribers(state, message);
        send_outbox(state);
        look_at_followers(state);
      },
      [self](flush_atom) {
        commit_all(self->state);
        return true;
      },
      [self](stop_atom) {
        commit_all(self->state);
        self->quit();
      },
  };
}

}  // namespace

writer_actor spawn_writer(runtime& node) {
  auto& part = node.actors();
  if (part.deterministic())
    return part.system->spawn(writer_behavior, &node);
  return part.system->spawn<caf::detached>(writer_behavior, &node);
}

}  // namespace microlith::internal
