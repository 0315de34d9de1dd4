// Holds the states of a share of a decider's keys.
//
// State moves on as soon as its events are handed to the writer, so a busy key is not one commit
// per command; nobody hears of them before the commit. What was decided on events that are then
// refused is refused, too (the append names what it was built on), and decided again from the
// journal.

#include <microlith/actors/internal/actors_part.hpp>

#include <deque>
#include <list>
#include <string_view>

namespace microlith::internal {

namespace {

struct pending_command {
  envelope message;
  unsigned conflicts = 0;
  erased_state prepared;
  unsigned preparations = 0;
  std::unique_ptr<snapshot> state_after = {};  // of its events, to be kept once they are durable
};

// First in, first out. Most keys have one command at a time.
class command_line {
 public:
  [[nodiscard]] bool empty() const { return first_ == commands_.size(); }
  void push_back(pending_command&& command) { commands_.push_back(std::move(command)); }
  [[nodiscard]] pending_command pop_front() {
    auto command = std::move(commands_[first_++]);
    if (empty()) {
      commands_.clear();
      first_ = 0;
    } else if (first_ >= 64 && first_ * 2 >= commands_.size()) {
      commands_.erase(commands_.begin(), commands_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    return command;
  }

 private:
  boost::container::small_vector<pending_command, 1> commands_;
  std::size_t first_ = 0;
};

struct instance {
  std::string stream;  // ends with the key
  erased_state state;  // with the events that are on their way
  std::uint64_t version = 0;
  message_id last_append;    // that is on its way; empty: all is durable
  command_line unconfirmed;  // handed to the writer, in order
  bool broken = false;       // an append was refused: `state` is not true
  bool loaded = false;
  steady_time last_used{};

  // What waits while it is broken.
  struct waiting {
    command_line again;  // refused: to be decided from the journal
    command_line held;   // came while that goes on
  };
  std::unique_ptr<waiting> broken_off;

  [[nodiscard]] waiting& repair() {
    if (!broken_off)
      broken_off = std::make_unique<waiting>();
    return *broken_off;
  }
  [[nodiscard]] bool idle() const { return unconfirmed.empty() && !broken_off && !broken; }
};

class reports_to_shard final : public report_target {
 public:
  explicit reports_to_shard(shard_actor shard) : shard_{std::move(shard)} {}
  void report(append_reports&& reports) override { caf::anon_send(shard_, std::move(reports)); }

 private:
  shard_actor shard_;
};

class prepared_for_shard final : public prepared_target {
 public:
  explicit prepared_for_shard(shard_actor shard) : shard_{std::move(shard)} {}
  void deliver(prepared_message&& done) override { caf::anon_send(shard_, std::move(done)); }

 private:
  shard_actor shard_;
};

using instances = std::list<instance, recycling_allocator<instance>>;

struct shard_state {
  runtime* node = nullptr;
  std::shared_ptr<const decider_definition> decider;
  std::shared_ptr<inbox<envelope>> waiting;
  instances all;  // used last comes first
  boost::unordered_flat_map<std::string_view, instances::iterator> by_stream;
  std::deque<instance*> reports_due;  // the writer reports in the order in which it was asked
  std::unique_ptr<reports_to_shard> report_to;
  std::shared_ptr<prepared_for_shard> prepared_to;
  std::vector<outgoing> decided;  // empty between commands; keeps its memory
  std::size_t preparing = 0;      // commands that are with the workers
  bool sweeping = false;
  bool retiring = false;

  [[nodiscard]] snapshot_store* snapshots() const {
    return decider->options.snapshot_every != 0 ? node->actors().snapshots.get() : nullptr;
  }
};

using shard_self = shard_actor::stateful_pointer<shard_state>;

/// A command is prepared this often before it ends as a conflict.
constexpr unsigned max_preparations = 8;

failure undecidable(const envelope& message, const storage_error& error) {
  return {.kind = error.kind == storage_error_kind::unreachable ? failure_kind::unreachable
                                                                : failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = std::string{message.type().name} + " was not decided: " + to_string(error),
          .message = {}};
}

// The state as it is, to be kept; null where it cannot be encoded.
std::unique_ptr<snapshot> take_snapshot(const shard_state& state, const instance& of,
                                        message_id last_event) {
  try {
    auto kept = std::make_unique<snapshot>();
    kept->stream = of.stream;
    kept->version = of.version;
    kept->event = last_event;
    kept->fingerprint = state.decider->snapshots->fingerprint;
    state.decider->snapshots->encode(of.state.get(), kept->state);
    return kept;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void keep(const shard_state& state, std::unique_ptr<snapshot> kept) {
  if (kept)
    caf::anon_send(state.node->actors().snapshotter, snapshot_message{std::move(*kept)});
}

// The state of a snapshot, where there is one; which event it ends with.
message_id begin_with_snapshot(shard_state& state, instance& of) {
  auto* all = state.snapshots();
  auto kept =
      all != nullptr ? all->find(of.stream, state.decider->snapshots->fingerprint) : std::nullopt;
  auto decoded =
      kept && !kept->event.empty() ? state.decider->snapshots->decode(kept->state) : nullptr;
  if (!decoded)
    return {};
  of.state = std::move(decoded);
  of.version = kept->version;
  return kept->event;
}

// Brings a state up to what the journal holds. Empty: it worked.
std::optional<storage_error> load(shard_state& state, instance& of, bool may_use_snapshot = true) {
  auto& node = state.node->actors();
  const auto& decider = *state.decider;
  of.state = decider.initial();
  of.version = 0;
  of.last_append = {};
  auto kept_event = may_use_snapshot ? begin_with_snapshot(state, of) : message_id{};
  auto kept_version = of.version;
  // The journal must have the event that the snapshot ends with, or it is of another history.
  auto unconfirmed_event = kept_event;
  message_id last_event;
  std::optional<storage_error> error;
  auto next = std::max<std::uint64_t>(of.version, 1);
  auto catalog = node.catalog.get();
  for (bool end = false; !end && !error;) {
    auto read = node.journal->read_stream(of.stream, next, {}, [&](const record_view& record) {
      if (!unconfirmed_event.empty()) {
        if (record.id != unconfirmed_event)
          return false;
        unconfirmed_event = {};
        return true;
      }
      last_event = record.id;
      auto event = to_envelope(record, *catalog);
      if (!event) {
        error =
            storage_error{storage_error_kind::damaged, to_string(event.error()), record.position};
        return false;
      }
      if (auto at = decider.evolve.find(&event->type()); at != decider.evolve.end())
        at->second(of.state.get(), event->body());
      of.version = record.stream_version;
      return true;
    });
    if (!read)
      return read.error();
    if (!unconfirmed_event.empty())
      return load(state, of, false);
    next = read->next;
    end = read->end;
  }
  if (!kept_event.empty())
    node.counters.snapshots_used.fetch_add(1, std::memory_order_relaxed);
  if (!error && state.snapshots() != nullptr &&
      of.version >= kept_version + decider.options.snapshot_every)
    keep(state, take_snapshot(state, of, last_event));
  of.loaded = !error;
  of.broken = false;
  return error;
}

void decide(shard_self self, instance& of, pending_command&& command);

void begin_prepare(shard_self self, instance& of, pending_command&& command) {
  auto& state = self->state;
  const auto* how = state.decider->find(command.message.type());
  prepare_job job;
  job.decider = state.decider;
  job.command = how;
  try {
    job.state = state.decider->copy(of.state.get());
  } catch (...) {
    auto& node = state.node->actors();
    node.failed(command.message,
                handler_threw(command.message, state.decider->component, current_exception_text()));
    return;
  }
  job.conflicts = command.conflicts;
  job.preparations = command.preparations + 1;
  job.message = std::move(command.message);
  job.reply_to = state.prepared_to;
  ++state.preparing;
  caf::anon_send(state.node->actors().workshop, std::move(job));
}

// Decides a command on the state as it is, and hands what was decided to the writer.
void decide_now(shard_self self, instance& of, pending_command&& command) {
  auto& state = self->state;
  auto& node = state.node->actors();
  const auto& message = command.message;
  const auto* how = state.decider->find(message.type());
  decision_info info{.who = facts_of(message.head()).principal,
                     .now = node.wall_now(),
                     .command = message.head().id,
                     .correlation = message.head().correlation};
  auto& decided = state.decided;
  decided.clear();
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  std::uint64_t own_events = 0;
  message_id last_own_event;
  bool evolving = false;
  try {
    handler_scope scope;
    auto run = [&] {
      how->decide(of.state.get(), message, command.prepared.get(), info, of.stream, decided);
    };
    if (node.bus(bus_kind::command).has_handle_middleware.load(std::memory_order_relaxed))
      node.around_handle(bus_kind::command, message, run);
    else
      run();
    failure why;
    if (!sort_outgoing(node, decided, job, why)) {
      node.failed(message, std::move(why));
      return;
    }
    // Evolved before anything leaves, so that an `evolve` that throws leaves nothing behind.
    for (const auto& event : job.request.events) {
      if (event.stream != of.stream)
        continue;
      evolving = true;
      ++own_events;
      last_own_event = event.message.head().id;
      if (auto at = state.decider->evolve.find(&event.message.type());
          at != state.decider->evolve.end())
        at->second(of.state.get(), event.message.body());
    }
  } catch (...) {
    node.counters.handler_exceptions.fetch_add(1, std::memory_order_relaxed);
    auto why = handler_threw(message, state.decider->component, current_exception_text());
    node.log(log_level::error, to_string(why));
    if (evolving) {  // the state may be anything now: from the journal again
      of.loaded = false;
      of.broken = !of.unconfirmed.empty();
    }
    node.failed(message, std::move(why));
    return;
  }
  bool built_on_pending = !of.last_append.empty();
  if (job.request.events.empty() && job.rejections.empty() && !built_on_pending) {
    auto before = node.journal->append_of(message.head().id);
    if (!before || !*before) {
      node.finished(message, {});
      return;
    }
    // Carried out before: the writer answers with what it caused then.
  }
  if (!job.request.events.empty() || built_on_pending)
    job.request.checks.push_back({.stream = of.stream,
                                  .expected = expected_version::exactly(of.version),
                                  .built_on = of.last_append});
  if (!job.request.events.empty())
    job.request.id = message.head().id;
  job.cause = message;
  job.ends_cause = true;
  job.report_to = state.report_to.get();
  if (own_events != 0) {
    auto every = state.snapshots() != nullptr ? state.decider->options.snapshot_every : 0;
    bool due = every != 0 && of.version / every != (of.version + own_events) / every;
    of.version += own_events;
    of.last_append = message.head().id;
    command.state_after = due ? take_snapshot(state, of, last_own_event) : nullptr;
  }
  of.unconfirmed.push_back(std::move(command));
  state.reports_due.push_back(&of);
  node.append(std::move(made));
}

void decide(shard_self self, instance& of, pending_command&& command) {
  auto& state = self->state;
  auto& node = state.node->actors();
  const auto* how = state.decider->find(command.message.type());
  if (!how->prepare) {
    decide_now(self, of, std::move(command));
    return;
  }
  try {
    handler_scope scope;
    if (command.prepared &&
        how->still_holds(of.state.get(), command.message.body(), command.prepared.get())) {
      decide_now(self, of, std::move(command));
      return;
    }
  } catch (...) {
    node.failed(command.message,
                handler_threw(command.message, state.decider->component, current_exception_text()));
    return;
  }
  if (command.preparations >= max_preparations) {
    node.failed(command.message, {.kind = failure_kind::conflict,
                                  .certainty = certainty::not_done,
                                  .text = "the state of " + of.stream + " changed " +
                                          std::to_string(max_preparations) +
                                          " times while work on it was prepared; try again",
                                  .message = {}});
    return;
  }
  begin_prepare(self, of, std::move(command));
}

// Takes a command in, unless what came before it has to be decided again first.
void take(shard_self self, instance& of, pending_command&& command) {
  if (of.broken) {
    of.repair().held.push_back(std::move(command));
    return;
  }
  if (!of.loaded) {
    if (auto error = load(self->state, of)) {
      self->state.node->actors().failed(command.message, undecidable(command.message, *error));
      return;
    }
  }
  decide(self, of, std::move(command));
}

// After the last report of a refused line of appends: from the journal, in the same order.
void decide_again(shard_self self, instance& of) {
  auto& state = self->state;
  auto& node = state.node->actors();
  command_line commands;
  if (auto waiting = std::exchange(of.broken_off, nullptr)) {
    commands = std::move(waiting->again);
    while (!waiting->held.empty())
      commands.push_back(waiting->held.pop_front());
  }
  auto error = load(state, of);
  of.broken = false;
  auto now = node.now();
  while (!commands.empty()) {
    auto command = commands.pop_front();
    if (command.message.head().deadline <= now)
      node.failed(command.message, past_deadline(command.message));
    else if (error)
      node.failed(command.message, undecidable(command.message, *error));
    else if (command.conflicts > state.decider->options.max_conflicts)
      node.failed(command.message, {.kind = failure_kind::conflict,
                                    .certainty = certainty::not_done,
                                    .text = "somebody else changed " + of.stream + " " +
                                            std::to_string(command.conflicts) +
                                            " times in a row meanwhile; try again",
                                    .message = {}});
    else
      take(self, of, std::move(command));
  }
}

// The oldest append that no report had come for was done, or this became of it.
void reported(shard_self self, const append_outcome* instead) {
  auto& state = self->state;
  auto& of = *state.reports_due.front();
  state.reports_due.pop_front();
  auto command = of.unconfirmed.pop_front();
  if (instead != nullptr) {
    of.broken = true;
    if (std::holds_alternative<append_conflict>(*instead)) {
      command.state_after.reset();
      ++command.conflicts;
      of.repair().again.push_back(std::move(command));
    } else if (const auto* refused = std::get_if<append_refused>(instead)) {
      state.node->actors().failed(command.message, refused->why);
    }
    // Otherwise it was appended before: its events were counted in, but came long ago.
  } else {
    keep(state, std::move(command.state_after));
  }
  if (!of.unconfirmed.empty())
    return;
  of.last_append = {};
  if (of.broken)
    decide_again(self, of);
}

void drop(shard_state& state, instances::iterator at) {
  state.by_stream.erase(at->stream);
  state.all.erase(at);
}

instance& obtain(shard_state& state, std::string&& stream) {
  auto now = state.node->actors().coarse_now();
  if (auto at = state.by_stream.find(stream); at != state.by_stream.end()) {
    state.all.splice(state.all.begin(), state.all, at->second);
    at->second->last_used = now;
    return *at->second;
  }
  auto max = std::max<std::size_t>(1, state.decider->options.max_states_per_shard);
  for (auto at = std::prev(state.all.end()); state.all.size() >= max && !state.all.empty();) {
    bool first = at == state.all.begin();
    auto before = first ? at : std::prev(at);
    if (at->idle())
      drop(state, at);
    if (first)
      break;
    at = before;
  }
  auto& added = state.all.emplace_front();
  added.stream = std::move(stream);
  added.last_used = now;
  state.by_stream.emplace(added.stream, state.all.begin());
  return added;
}

// One that is served no longer ends when all that it has begun has ended.
void end_if_retired(shard_self self) {
  auto& state = self->state;
  if (!state.retiring || !state.reports_due.empty() || state.preparing != 0)
    return;
  // The targets hold this actor: without them it is freed.
  state.report_to.reset();
  state.prepared_to.reset();
  self->quit();
}

void arm_sweep(shard_self self) {
  if (std::exchange(self->state.sweeping, true))
    return;
  self->delayed_send(self, self->state.decider->options.idle, sweep_atom::value);
}

void arrive(shard_self self, pending_command&& command) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (command.message.head().deadline <= node.coarse_now()) {
    node.failed(command.message, past_deadline(command.message));
    return;
  }
  std::string stream;
  try {
    auto key = state.decider->find(command.message.type())->key(command.message.body());
    stream = stream_id{state.decider->category, std::move(key)}.name();
  } catch (...) {
    node.failed(command.message,
                handler_threw(command.message, state.decider->component, current_exception_text()));
    return;
  }
  auto& of = obtain(state, std::move(stream));
  arm_sweep(self);
  take(self, of, std::move(command));
}

shard_actor::behavior_type shard_behavior(shard_self self, runtime* node,
                                          std::shared_ptr<const decider_definition> decider,
                                          std::shared_ptr<inbox<envelope>> waiting) {
  auto& state = self->state;
  state.node = node;
  state.waiting = std::move(waiting);
  state.decider = std::move(decider);
  state.report_to = std::make_unique<reports_to_shard>(shard_actor{self});
  state.prepared_to = std::make_shared<prepared_for_shard>(shard_actor{self});
  return {
      [self](envelope& message) {
        arrive(self, {.message = std::move(message), .conflicts = 0, .prepared = nullptr});
      },
      [self](bell_atom) {
        auto& state = self->state;
        if (read_step(*state.waiting, [&](envelope&& message) {
              arrive(self, {.message = std::move(message), .conflicts = 0, .prepared = nullptr});
            }))
          self->send(self, bell_atom::value);
      },
      [self](append_reports& all) {
        for (auto& report : all.reports) {
          for (std::size_t i = 0; i < report.done; ++i)
            reported(self, nullptr);
          if (report.then)
            reported(self, &*report.then);
        }
        end_if_retired(self);
      },
      [self](prepared_message& done) {
        --self->state.preparing;
        if (!done.prepared)
          self->state.node->actors().failed(done.message, std::move(done.why));
        else
          arrive(self, {.message = std::move(done.message),
                        .conflicts = done.conflicts,
                        .prepared = std::move(done.prepared),
                        .preparations = done.preparations});
        end_if_retired(self);
      },
      [self](sweep_atom) {
        auto& state = self->state;
        auto before = state.node->actors().now() - state.decider->options.idle;
        for (auto at = state.all.begin(); at != state.all.end();) {
          auto next = std::next(at);
          if (at->idle() && at->last_used <= before)
            drop(state, at);
          at = next;
        }
        state.sweeping = false;
        if (!state.all.empty())
          arm_sweep(self);
      },
      [self](stop_atom) {
        while (auto* message = self->state.waiting->next())
          arrive(self, {.message = std::move(*message), .conflicts = 0, .prepared = nullptr});
        self->state.retiring = true;
        // Without a writer there are no more reports.
        self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
        self->monitor(self->state.node->actors().writer);
        end_if_retired(self);
      },
  };
}

}  // namespace

shard_actor spawn_shard(runtime& node, std::shared_ptr<const decider_definition> decider,
                        std::shared_ptr<inbox<envelope>> waiting) {
  return node.actors().system->spawn(shard_behavior, &node, std::move(decider), std::move(waiting));
}

}  // namespace microlith::internal
