// The far side of the event bus: appends, and publishes what is durable.
//
// Group commit without a timer: one transaction takes all that waits. While it syncs, the next
// batch collects in the inbox; then the writer reads on by itself, or a bell that it sent itself
// makes it do so. What follows from a commit (settler.hpp) it does itself: one hop less beside the
// sync, and no slower under load than with another thread that does so during the next commit.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/settler.hpp>
#include <microlith/actors/internal/settling.hpp>

#include <algorithm>
#include <optional>
#include <thread>

namespace microlith::internal {

namespace {

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
  committed_batch batch;                  // that is being collected, committed and settled
  std::vector<append_request*> requests;  // of its jobs
  std::size_t events = 0;
  idle_watch idle;
  std::optional<settler> settles;

  // A burst must not hold its memory for ever.
  void clear_batch() {
    events = 0;
    batch.jobs.clear();
    batch.outcomes.clear();
    requests.clear();
    if (requests.capacity() > 2 * max_batch_events) {
      batch = {};
      requests = std::vector<append_request*>{};
    }
  }
};

using writer_self = writer_actor::stateful_pointer<writer_state>;

void commit(writer_state& state) {
  auto& node = state.node->actors();
  auto& batch = state.batch;
  if (batch.jobs.empty())
    return;
  batch.wrote =
      std::any_of(state.requests.begin(), state.requests.end(),
                  [](const append_request* r) { return !r->events.empty() || !r->checks.empty(); });
  if (batch.wrote) {
    auto before = node.journal->last_position();
    auto start = std::chrono::steady_clock::now();
    batch.outcomes = node.journal->append(append_batch{state.requests});
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (auto written = node.journal->last_position() - before; written != 0) {
      node.counters.commit_batch_events.observe(static_cast<double>(written));
      node.counters.commit_duration_seconds.observe(took.count());
    }
  } else {
    batch.outcomes.assign(batch.jobs.size(), append_outcome{appended{}});
  }
  state.settles->settle(batch);
  state.clear_batch();
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
    state.batch.jobs.push_back(std::move(job));
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
  self->state.settles.emplace(*node);
  return {
      [self](bell_atom) {
        auto& state = self->state;
        auto& waiting = state.node->actors().to_append;
        state.idle.rung();
        bool more = collect(state);
        auto jobs = state.batch.jobs.size();
        commit(state);
        // One commit a bell, so that other messages have their turn.
        bool watches = jobs != 0 && !state.node->actors().deterministic();
        if (more || (watches && state.idle.watch(waiting, jobs)))
          self->send(self, bell_atom::value);
      },
      [self](event_batch& published) { self->state.settles->publish(published); },
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
