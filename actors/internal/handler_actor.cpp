#include <microlith/actors/context.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

// The handling of one message, from its arrival until its last continuation has ended.
struct open_work {
  envelope cause;
  std::size_t open_waits = 0;
  bool failed = false;
  bool answered = false;                        // a query: its response has left
  bool left_anything = false;                   // messages of an earlier step have left
  bool appended = false;                        // events have been handed to the writer
  std::shared_ptr<handling_progress> progress;  // where it takes several steps

  [[nodiscard]] bool ended() const { return failed || (progress && progress->ended()); }
  /// True for the one that ends it.
  [[nodiscard]] bool end() { return !progress || progress->end(); }
};

struct continued {
  std::shared_ptr<open_work> work;
  std::function<void(raw_answer&&, context&)> then;
};

struct handler_state {
  runtime* node = nullptr;
  bus_kind bus = bus_kind::command;
  handler_definition definition;
  std::shared_ptr<live_subscriber> live;
  std::shared_ptr<projector_part> projector;
  std::shared_ptr<inbox<envelope>> waiting_messages;
  std::uint64_t epoch = 0;                        // of the component, when it began here
  std::vector<outgoing> sent;                     // empty between messages; keeps its memory
  std::vector<std::unique_ptr<append_job>> made;  // in this step, for the writer
  boost::unordered_flat_map<std::uint64_t, continued> waiting;
  std::uint64_t last_number = 0;
};

using handler_self = handler_actor::stateful_pointer<handler_state>;

// A wait inside a handler: its end is a message to the handler's actor.
class continued_wait final : public pending_wait {
 public:
  continued_wait(handler_actor actor, std::uint64_t number)
      : actor_{std::move(actor)}, number_{number} {}
  void complete(raw_answer&& answer, std::unique_ptr<pending_wait>) override {
    caf::anon_send(actor_, continuation_message{number_, std::move(answer)});
  }

 private:
  handler_actor actor_;
  std::uint64_t number_;
};

// Commands and queries end where their handler ends; a subscriber's failure is its own affair.
void end_failed(handler_self self, open_work& work, failure why) {
  auto& node = self->state.node->actors();
  node.counters.handler_exceptions.fetch_add(1, std::memory_order_relaxed);
  node.log(log_level::error, to_string(why));
  work.failed = true;
  if (work.left_anything)
    why.certainty = certainty::unknown;
  if (work.end() && self->state.bus != bus_kind::event)
    node.failed(work.cause, std::move(why));
}

failure not_answered(const envelope& query) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = "the handler of " + std::string{query.type().name} +
                  " ended without an answer; return one, or call answer_with",
          .message = {}};
}

void file_waits(handler_self self, handling& done, const std::shared_ptr<open_work>& work) {
  auto& state = self->state;
  auto& node = state.node->actors();
  auto now = node.now();
  for (auto& next : done.continuations) {
    auto number = ++state.last_number;
    auto wait = std::make_unique<continued_wait>(handler_actor{self}, number);
    wait->correlation = next.spec.correlation;
    wait->bound = next.spec.bound;
    wait->bound_depth = next.spec.bound_depth;
    wait->types = std::move(next.spec.types);
    wait->takes_accepted = next.spec.takes_accepted;
    wait->limit = next.spec.limit;
    wait->deadline = deadline_after(now, next.spec.limit);
    state.waiting.emplace(number, continued{work, std::move(next.then)});
    node.talks->wait(std::move(wait), now);
  }
}

bool holds_response(const std::vector<outgoing>& sent) {
  return std::any_of(sent.begin(), sent.end(), [](const outgoing& each) {
    return each.message.type().kind == message_kind::response;
  });
}

// Lets go what the handler has sent, and ends the work if nothing is open any more. `kept` is empty
// for work that has not waited so far.
void leave(handler_self self, handling& done, open_work& work, std::shared_ptr<open_work> kept) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (state.bus == bus_kind::event && done.sent.empty() && done.continuations.empty())
    return;
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  failure why;
  if (!sort_outgoing(node, done.sent, job, why)) {
    end_failed(self, work, std::move(why));
    return;
  }
  bool has_events = !job.request.events.empty();
  work.answered = work.answered || (state.bus == bus_kind::query && holds_response(job.then_send));
  work.open_waits += done.continuations.size();
  bool ends = work.open_waits == 0 && state.bus != bus_kind::event;
  if (ends && state.bus == bus_kind::query && !work.answered) {
    end_failed(self, work, not_answered(work.cause));
    return;
  }
  // What follows events that are on their way goes through the writer, too, and so after them. A
  // continuation's events are an append of their own, which cannot carry the command's id again; an
  // event may have several subscribers that append.
  bool to_writer = has_events || !job.rejections.empty() || work.appended;
  if (has_events && state.bus != bus_kind::event)
    job.request.id = work.appended ? message_id::make() : work.cause.head().id;
  work.appended = work.appended || has_events;
  work.left_anything = work.left_anything || to_writer || !job.then_send.empty();
  if (!done.continuations.empty()) {
    if (!work.progress)
      work.progress = std::make_shared<handling_progress>();
    if (!kept)
      kept = std::make_shared<open_work>(work);
    file_waits(self, done, kept);
  }
  if (!to_writer) {
    for (auto& each : job.then_send)
      node.forward(each.bus, std::move(each.message));
    if (ends && work.end())
      node.finished(work.cause, {});
    return;
  }
  bool ends_here = ends && !kept;
  job.cause = ends_here ? std::move(work.cause) : work.cause;
  job.ends_cause = ends;
  job.counts_failure = state.bus != bus_kind::event;
  job.progress = work.progress;
  if (state.live && node.others) {
    job.component = state.definition.component;
    job.epoch = state.epoch;
  }
  state.made.push_back(std::move(made));
}

template <class Call>
void run_guarded(handler_self self, open_work& work, std::shared_ptr<open_work> kept, Call call) {
  handling now{.node = *self->state.node,
               .message = work.cause,
               .sent = std::exchange(self->state.sent, {}),
               .continuations = {}};
  context ctx{now};
  try {
    handler_scope scope;
    call(ctx);
  } catch (...) {
    end_failed(
        self, work,
        handler_threw(work.cause, self->state.definition.component, current_exception_text()));
    return;
  }
  leave(self, now, work, std::move(kept));
  now.sent.clear();
  self->state.sent = std::move(now.sent);
}

void handle(handler_self self, envelope&& message) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (message.head().deadline <= node.coarse_now() && state.bus != bus_kind::event) {
    node.failed(message, past_deadline(message));
    return;
  }
  if (state.projector && message.head().after > state.projector->checkpoint.load()) {
    caf::anon_send(state.projector->actor,
                   parked_query{std::move(message), [&node](envelope&& ready) {
                                  // It passes the bus once more.
                                  if (node.others)
                                    node.others->has_ended(ready);
                                  node.forward(bus_kind::query, std::move(ready));
                                }});
    return;
  }
  open_work work;
  work.cause = std::move(message);
  run_guarded(self, work, nullptr, [&](context& ctx) {
    if (!node.bus(state.bus).has_handle_middleware.load(std::memory_order_relaxed))
      state.definition.run(work.cause, ctx);
    else
      node.around_handle(state.bus, work.cause, [&] { state.definition.run(work.cause, ctx); });
  });
}

// What was made leaves at the end of each step.
void hand_over(handler_self self) {
  self->state.node->actors().append_all(self->state.made);
}

handler_actor::behavior_type handler_behavior(handler_self self, runtime* node, bus_kind bus,
                                              handler_definition definition,
                                              std::shared_ptr<live_subscriber> live,
                                              std::shared_ptr<inbox<envelope>> waiting) {
  auto& state = self->state;
  state.node = node;
  state.waiting_messages = std::move(waiting);
  state.bus = bus;
  state.live = std::move(live);
  if (!definition.projection.empty())
    state.projector = node->actors().projectors.get()->at(definition.projection);
  state.definition = std::move(definition);
  if (const auto& others = node->actors().others)
    state.epoch = others->epoch_of(state.definition.component);
  return {
      [self](envelope& message) {
        handle(self, std::move(message));
        hand_over(self);
      },
      [self](bell_atom) {
        auto& state = self->state;
        bool more = read_step(*state.waiting_messages,
                              [&](envelope&& message) { handle(self, std::move(message)); });
        hand_over(self);
        if (more)
          self->send(self, bell_atom::value);
      },
      [self](event_batch& batch) {
        auto& live = *self->state.live;
        auto& node = self->state.node->actors();
        if (batch.missed_from != 0) {
          node.log(log_level::warning, "a subscriber of " +
                                           std::string{self->state.definition.type->name} +
                                           " lagged and missed events between positions " +
                                           std::to_string(batch.missed_from) + " and " +
                                           std::to_string(batch.missed_to));
          if (live.options.on_missed) {
            try {
              handler_scope scope;
              live.options.on_missed({batch.missed_from, batch.missed_to});
            } catch (...) {
              node.log(log_level::error, "on_missed threw: " + current_exception_text());
            }
          }
        }
        for (auto& message : batch.messages) {
          handle(self, std::move(message));
          live.pending.fetch_sub(1, std::memory_order_acq_rel);
        }
        hand_over(self);
      },
      [self](continuation_message& ended) {
        auto at = self->state.waiting.find(ended.number);
        if (at == self->state.waiting.end())
          return;
        auto next = std::move(at->second);
        self->state.waiting.erase(at);
        --next.work->open_waits;
        if (next.work->ended())
          return;
        run_guarded(self, *next.work, next.work,
                    [&](context& ctx) { next.then(std::move(ended.answer), ctx); });
        hand_over(self);
      },
      [self](stop_atom) {
        if (const auto& waiting = self->state.waiting_messages) {
          while (auto* message = waiting->next())
            handle(self, std::move(*message));
          hand_over(self);
        }
        for (auto& [number, next] : self->state.waiting) {
          if (!std::exchange(next.work->failed, true) && next.work->end() &&
              self->state.bus != bus_kind::event)
            self->state.node->actors().failed(
                next.work->cause,
                {.kind = failure_kind::stopped,
                 .certainty = certainty::unknown,
                 .text = "the handler of " + std::string{next.work->cause.type().name} +
                         " was stopped while it waited",
                 .message = {}});
        }
        self->quit();
      },
  };
}

}  // namespace

handler_actor spawn_handler(runtime& node, bus_kind bus, handler_definition definition,
                            std::shared_ptr<live_subscriber> live,
                            std::shared_ptr<inbox<envelope>> waiting) {
  return node.actors().system->spawn(handler_behavior, &node, bus, std::move(definition),
                                     std::move(live), std::move(waiting));
}

}  // namespace microlith::internal
