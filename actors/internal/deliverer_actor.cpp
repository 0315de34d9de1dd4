// Runs the handlers of a durable subscription, and says when an event is done: its handler and all
// its continuations have returned, what they dispatched is durable, and the commands among that
// have ended well.
//
// Ids of appends and messages are derived from subscription, event and place, so that a second
// delivery appends nothing twice and its commands are known again.

#include <microlith/actors/context.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/persistence/derived_id.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace microlith::internal {

namespace {

/// One event, from its delivery until all that it began has ended.
struct open_delivery {
  delivery_message what;
  std::size_t open = 0;         // appends, commands and continuations that have not ended
  std::uint64_t next_step = 0;  // of the handler and its continuations, in the order of the code
  std::optional<failure> why;
};

/// A part of the handling: the handler itself, or a continuation.
struct delivery_step {
  std::shared_ptr<open_delivery> of;
  std::uint64_t step = 0;
};

struct awaited_append {
  std::shared_ptr<open_delivery> of;
  std::vector<outgoing> then_send;
  std::vector<message_id> waited_for;  // a continuation sees how these end
};

struct awaited_answer {
  delivery_step at;
  std::function<void(raw_answer&&, context&)> then;  // empty: the end of a command
};

class reports_to_deliverer final : public report_target {
 public:
  explicit reports_to_deliverer(std::string component) : component_{std::move(component)} {}

  void send_to(deliverer_actor to) { to_ = std::move(to); }
  void report(append_reports&& reports) override { caf::anon_send(to_, std::move(reports)); }
  std::string_view component() const override { return component_; }

 private:
  const std::string component_;
  deliverer_actor to_;
};

class delivery_wait final : public pending_wait {
 public:
  delivery_wait(deliverer_actor to, std::uint64_t number) : to_{std::move(to)}, number_{number} {}
  void complete(raw_answer&& answer, std::unique_ptr<pending_wait>) override {
    caf::anon_send(to_, continuation_message{number_, std::move(answer)});
  }

 private:
  deliverer_actor to_;
  std::uint64_t number_;
};

struct deliverer_state {
  runtime* node = nullptr;
  const durable_part* part = nullptr;
  subscriber_actor subscriber;
  report_target* report_to = nullptr;
  std::deque<awaited_append> appends;  // the writer reports in the order in which it was asked
  std::unordered_map<std::uint64_t, awaited_answer> answers;
  std::uint64_t last_number = 0;
};

using deliverer_self = deliverer_actor::stateful_pointer<deliverer_state>;

// Each step has ids of its own, as many as one handling may send.
constexpr std::uint64_t ids_per_step = std::uint64_t{1} << 32;

void fail(open_delivery& delivery, failure why) {
  if (!delivery.why)
    delivery.why = std::move(why);
}

void end_if_done(deliverer_state& state, const open_delivery& delivery) {
  if (delivery.open == 0)
    caf::anon_send(state.subscriber, delivered_message{delivery.what.event.position, delivery.why});
}

std::unique_ptr<pending_wait> make_wait(deliverer_self self, std::uint64_t number,
                                        const wait_spec& spec) {
  auto wait = std::make_unique<delivery_wait>(deliverer_actor{self}, number);
  wait->correlation = spec.correlation;
  wait->bound = spec.bound;
  wait->bound_depth = spec.bound_depth;
  wait->types = spec.types;
  wait->takes_accepted = spec.takes_accepted;
  wait->limit = spec.limit;
  wait->deadline = deadline_after(self->state.node->steady_now(), spec.limit);
  return wait;
}

// Commands and queries leave once the events that they follow are durable.
void send_all(deliverer_self self, const std::shared_ptr<open_delivery>& of,
              std::vector<outgoing>&& all, const std::vector<message_id>& waited_for) {
  auto& state = self->state;
  auto& node = state.node->actors();
  for (auto& each : all) {
    const auto& head = each.message.head();
    bool is_command = each.message.type().kind == message_kind::command;
    if (is_command &&
        std::find(waited_for.begin(), waited_for.end(), head.id) == waited_for.end()) {
      auto number = ++state.last_number;
      ++of->open;
      state.answers.emplace(number, awaited_answer{{of, 0}, {}});
      wait_spec spec{.correlation = head.correlation,
                     .bound = head.id,
                     .bound_depth = head.depth,
                     .types = {},
                     .takes_accepted = true,
                     .limit = state.part->definition.options().command_limit};
      node.talks->wait(make_wait(self, number, spec), node.now());
    }
    node.forward(each.bus, std::move(each.message));
  }
}

// Lets go what a step has sent.
void leave(deliverer_self self, handling& done, const delivery_step& at) {
  auto& state = self->state;
  auto& node = state.node->actors();
  auto& delivery = *at.of;
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  failure why;
  if (!sort_outgoing(node, done.sent, job, why)) {
    fail(delivery, std::move(why));
    return;
  }
  std::vector<message_id> waited_for;
  for (auto& next : done.continuations) {
    auto number = ++state.last_number;
    ++delivery.open;
    if (!next.spec.bound.empty())
      waited_for.push_back(next.spec.bound);
    auto wait = make_wait(self, number, next.spec);
    state.answers.emplace(number,
                          awaited_answer{{at.of, ++delivery.next_step}, std::move(next.then)});
    node.talks->wait(std::move(wait), node.now());
  }
  auto then_send = std::exchange(job.then_send, {});
  if (job.request.events.empty() && job.rejections.empty()) {
    send_all(self, at.of, std::move(then_send), waited_for);
    return;
  }
  if (!job.request.events.empty())
    job.request.id = derived_id(delivery.what.event.head().id, state.part->definition.name(),
                                at.step * ids_per_step);
  ++delivery.open;
  state.appends.push_back({at.of, std::move(then_send), std::move(waited_for)});
  job.cause = delivery.what.event;
  job.counts_failure = false;
  job.report_to = state.report_to;
  node.append(std::move(made));
}

template <class Call>
void run(deliverer_self self, const delivery_step& at, Call call) {
  auto& state = self->state;
  auto& node = state.node->actors();
  const auto& event = at.of->what.event;
  auto last = at.step * ids_per_step;
  std::function<message_id()> next_id = [&] {
    return derived_id(event.head().id, state.part->definition.name(), ++last);
  };
  handling now{
      .node = *state.node, .message = event, .sent = {}, .continuations = {}, .next_id = &next_id};
  context ctx{now};
  try {
    handler_scope scope;
    call(ctx);
  } catch (...) {
    node.counters.handler_exceptions.fetch_add(1, std::memory_order_relaxed);
    fail(*at.of, handler_threw(event, state.part->component, current_exception_text()));
    return;
  }
  leave(self, now, at);
}

void deliver(deliverer_self self, delivery_message&& what) {
  auto& node = self->state.node->actors();
  auto of = std::make_shared<open_delivery>();
  of->what = std::move(what);
  run(self, {of, 0}, [&](context& ctx) {
    node.around_handle(bus_kind::event, of->what.event,
                       [&] { of->what.handler->run(of->what.event, ctx); });
  });
  end_if_done(self->state, *of);
}

// `other` is what came of the append where it is not simply done.
void appended_or_not(deliverer_self self, const append_outcome* other) {
  auto& state = self->state;
  auto awaited = std::move(state.appends.front());
  state.appends.pop_front();
  auto& delivery = *awaited.of;
  --delivery.open;
  auto not_appended = [&](failure why) {
    for (const auto& each : awaited.then_send) {
      why.message = each.message.head().id;
      state.node->actors().talks->unsent(each.message.head().correlation, why,
                                         state.node->steady_now());
    }
    fail(delivery, std::move(why));
  };
  if (const auto* refused = std::get_if<append_refused>(other)) {
    not_appended(refused->why);
  } else if (const auto* conflict = std::get_if<append_conflict>(other)) {
    not_appended({.kind = failure_kind::conflict,
                  .certainty = certainty::not_done,
                  .text = to_string(*conflict),
                  .message = {}});
  } else {
    // Also where it was appended before: what follows may not have left then.
    send_all(self, awaited.of, std::move(awaited.then_send), awaited.waited_for);
  }
  end_if_done(state, delivery);
}

void answered(deliverer_self self, continuation_message&& ended) {
  auto& state = self->state;
  auto at = state.answers.find(ended.number);
  if (at == state.answers.end())
    return;
  auto awaited = std::move(at->second);
  state.answers.erase(at);
  auto& delivery = *awaited.at.of;
  --delivery.open;
  if (awaited.then) {
    if (!delivery.why)
      run(self, awaited.at, [&](context& ctx) { awaited.then(std::move(ended.answer), ctx); });
  } else if (auto* why = std::get_if<failure>(&ended.answer)) {
    fail(delivery, *why);
  }
  end_if_done(state, delivery);
}

deliverer_actor::behavior_type deliverer_behavior(deliverer_self self, runtime* node,
                                                  const durable_part* part,
                                                  subscriber_actor subscriber,
                                                  report_target* report_to) {
  auto& state = self->state;
  state.node = node;
  state.part = part;
  state.subscriber = std::move(subscriber);
  state.report_to = report_to;
  return {
      [self](delivery_message& what) { deliver(self, std::move(what)); },
      [self](append_reports& all) {
        for (const auto& report : all.reports) {
          for (std::size_t i = 0; i < report.done; ++i)
            appended_or_not(self, nullptr);
          if (report.then)
            appended_or_not(self, &*report.then);
        }
      },
      [self](continuation_message& ended) { answered(self, std::move(ended)); },
      [self](stop_atom) {
        self->state.subscriber = subscriber_actor{};
        self->quit();
      },
  };
}

}  // namespace

deliverer_actor spawn_deliverer(runtime& node, durable_part& part, subscriber_actor subscriber) {
  auto& system = *node.actors().system;
  auto target = std::make_unique<reports_to_deliverer>(part.component);
  report_target* report_to = target.get();
  const durable_part* described = &part;
  auto actor = node.actors().deterministic()
                   ? system.spawn(deliverer_behavior, &node, described, subscriber, report_to)
                   : system.spawn<caf::detached>(deliverer_behavior, &node, described, subscriber,
                                                 report_to);
  target->send_to(actor);
  part.report_targets.push_back(std::move(target));
  return actor;
}

}  // namespace microlith::internal
