// Holds the states of a share of a decider's keys.
//
// State moves on as soon as its events are handed to the writer, so a busy key is not one commit
// per command; nobody hears of them before the commit. What was decided on events that are then
// refused is refused, too (the append names what it was built on), and decided again from the
// journal.

#include <microlith/actors/internal/shard_state.hpp>

namespace microlith::internal {

namespace {

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

// Events of the decider's own stream that a command has caused.
struct own_events {
  std::uint64_t count = 0;
  message_id last;
};

// Lets the decider decide, and the state move on, before anything leaves: an `evolve` that throws
// leaves nothing behind. Empty: the command has ended badly.
std::optional<own_events> decide_and_evolve(shard_state& state, instance& of,
                                            const pending_command& command, append_job& job) {
  auto& node = state.node->actors();
  const auto& message = command.message;
  const auto* how = state.decider->find(message.type());
  decision_info info{.who = facts_of(message.head()).principal,
                     .now = node.wall_now(),
                     .command = message.head().id,
                     .correlation = message.head().correlation};
  auto& decided = state.decided;
  decided.clear();
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
      return std::nullopt;
    }
    own_events own;
    for (const auto& event : job.request.events) {
      if (event.stream != of.stream)
        continue;
      evolving = true;
      ++own.count;
      own.last = event.message.head().id;
      if (auto at = state.decider->evolve.find(&event.message.type());
          at != state.decider->evolve.end())
        at->second(of.state.get(), event.message.body());
    }
    return own;
  } catch (...) {
    node.counters.handler_exceptions.fetch_add(1, std::memory_order_relaxed);
    auto why = handler_threw(message, state.decider->component, current_exception_text());
    node.log(log_level::error, to_string(why));
    if (evolving) {  // the state may be anything now: from the journal again
      of.loaded = false;
      of.broken = !of.unconfirmed.empty();
    }
    node.failed(message, std::move(why));
    return std::nullopt;
  }
}

// A command that caused nothing need not see the writer, but where it was carried out before: then
// the writer answers with what it caused then.
bool end_without_events(shard_state& state, const envelope& command) {
  auto& node = state.node->actors();
  auto before = node.journal->append_of(command.head().id);
  if (before && *before)
    return false;
  node.finished(command, {});
  return true;
}

// Decides a command on the state as it is, and hands what was decided to the writer.
void decide_now(shard_self self, instance& of, pending_command&& command) {
  auto& state = self->state;
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  auto own = decide_and_evolve(state, of, command, job);
  if (!own)
    return;
  bool has_events = !job.request.events.empty();
  bool built_on_pending = !of.last_append.empty();
  if (!has_events && job.rejections.empty() && !built_on_pending &&
      end_without_events(state, command.message))
    return;
  if (has_events || built_on_pending)
    job.request.checks.push_back({.stream = of.stream,
                                  .expected = expected_version::exactly(of.version),
                                  .built_on = of.last_append});
  if (has_events)
    job.request.id = command.message.head().id;
  job.cause = command.message;
  job.ends_cause = true;
  job.report_to = state.report_to.get();
  if (own->count != 0) {
    auto every = state.snapshots() != nullptr ? state.decider->options.snapshot_every : 0;
    bool due = every != 0 && of.version / every != (of.version + own->count) / every;
    of.version += own->count;
    of.last_append = command.message.head().id;
    command.state_after = due ? take_snapshot(state, of, own->last) : nullptr;
  }
  of.unconfirmed.push_back(std::move(command));
  state.reports_due.push_back(&of);
  state.made.push_back(std::move(made));
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

// What was decided leaves at the end of each step.
void hand_over(shard_self self) {
  self->state.node->actors().append_all(self->state.made);
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
        hand_over(self);
      },
      [self](bell_atom) {
        auto& state = self->state;
        bool more = read_step(*state.waiting, [&](envelope&& message) {
          arrive(self, {.message = std::move(message), .conflicts = 0, .prepared = nullptr});
        });
        hand_over(self);
        if (more)
          self->send(self, bell_atom::value);
      },
      [self](append_reports& all) {
        for (auto& report : all.reports) {
          for (std::size_t i = 0; i < report.done; ++i)
            reported(self, nullptr);
          if (report.then)
            reported(self, &*report.then);
        }
        hand_over(self);
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
        hand_over(self);
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
        hand_over(self);
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
