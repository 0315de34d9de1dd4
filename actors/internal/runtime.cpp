// What callers outside of handlers do: dispatch, wait, or both.

#include <microlith/actors/context.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

#include <boost/unordered/unordered_flat_set.hpp>

namespace microlith::internal {

namespace {

// A wait whose answer is a CAF response.
class requested_wait final : public pending_wait {
 public:
  requested_wait(caf::response_promise promise, caf::strong_actor_ptr self)
      : promise_{std::move(promise)}, self_{std::move(self)} {}

  void complete(raw_answer&& answer, std::unique_ptr<pending_wait>) override {
    answer_request(promise_, self_, answer_message{std::move(answer)});
  }

 private:
  caf::response_promise promise_;
  caf::strong_actor_ptr self_;
};

// Under the deterministic scheduler: the waiting thread itself makes the steps.
class stepped_wait final : public pending_wait {
 public:
  /// Shared, because a wait without end may outlive the one that waits.
  explicit stepped_wait(std::shared_ptr<std::optional<raw_answer>> out) : out_{std::move(out)} {}
  void complete(raw_answer&& answer, std::unique_ptr<pending_wait>) override {
    *out_ = std::move(answer);
  }

 private:
  std::shared_ptr<std::optional<raw_answer>> out_;
};

void fill(pending_wait& wait, wait_spec&& spec, steady_time deadline) {
  wait.correlation = spec.correlation;
  wait.bound = spec.bound;
  wait.bound_to_root = spec.bound_to_root;
  wait.bound_depth = spec.bound_depth;
  wait.types = std::move(spec.types);
  wait.takes_accepted = spec.takes_accepted;
  wait.private_conversation = spec.private_conversation;
  wait.limit = spec.limit;
  wait.deadline = deadline;
}

failure swallowed() {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = "middleware neither went on with the message nor refused it",
          .message = {}};
}

failure blocking_in_handler() {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = "a handler must not block in a wait; use context.wait_for(…).then(…)",
          .message = {}};
}

// Files the wait, sends what it is for, and runs the world until it ends: what is due now first,
// then the clock jumps to what is due next. Empty: it never ends.
template <class Send>
std::optional<raw_answer> step_through(runtime::actors_part& node, wait_spec&& spec,
                                       steady_time deadline, opened_dispatch dispatch, Send send) {
  auto answer = std::make_shared<std::optional<raw_answer>>();
  auto wait = std::make_unique<stepped_wait>(answer);
  fill(*wait, std::move(spec), deadline);
  send(node.talks->wait(std::move(wait), node.now(), dispatch));
  while (!*answer && (node.step() || node.jump())) {
  }
  return std::move(*answer);
}

// A thread of its own asks the bus, and blocks. Empty: the node has stopped meanwhile.
template <class... Ts>
std::optional<raw_answer> request(runtime::actors_part& node, bus_kind bus, Ts&&... message) {
  std::optional<raw_answer> answer;
  auto self = node.borrow();
  (*self)
      ->request(node.bus(bus).actor, caf::infinite, std::forward<Ts>(message)...)
      .receive([&](answer_message& got) { answer = std::move(got.answer); },
               [&](const caf::error&) {});
  node.give_back(std::move(self));
  return answer;
}

raw_answer or_stopped(std::optional<raw_answer>&& answer) {
  if (answer)
    return std::move(*answer);
  return failure{.kind = failure_kind::stopped,
                 .certainty = certainty::unknown,
                 .text = "the node has stopped",
                 .message = {}};
}

}  // namespace

std::unique_ptr<pending_wait> make_requested_wait(caf::response_promise promise,
                                                  caf::strong_actor_ptr self,
                                                  wait_request&& request) {
  auto wait = std::make_unique<requested_wait>(std::move(promise), std::move(self));
  fill(*wait, std::move(request.spec), request.deadline);
  return wait;
}

runtime::runtime() = default;
runtime::~runtime() = default;

steady_time runtime::steady_now() const {
  return actors_->now();
}
wall_time runtime::wall_now() const {
  return actors_->wall_now();
}

envelope_head runtime::outside_head(message_id id, correlation_id correlation, const principal& who,
                                    const std::map<std::string, std::string>& headers) const {
  auto facts = actors_->own_facts;
  if (!who.subject.empty() || !who.roles.empty() || !headers.empty())
    facts = std::make_shared<const conversation_facts>(
        conversation_facts{.origin = facts->origin, .principal = who, .headers = headers});
  return {.id = id,
          .correlation = correlation,
          .causation = {},
          .root = id,
          .time = wall_now(),
          .facts = std::move(facts)};
}

namespace {

// Whether somebody serves the type. Each thread keeps what it has seen of a bus until its routes
// change: asking the table itself would count a pointer that all threads share.
bool served(bus_part& bus, const message_type& type) {
  struct seen {
    std::uint64_t bus = 0;
    std::uint64_t version = 0;
    boost::unordered_flat_set<const message_type*> types;
  };
  thread_local std::array<seen, 3> all;
  auto& last = all[static_cast<std::size_t>(bus.kind)];
  if (auto version = bus.routes.version(); last.bus != bus.number || last.version != version) {
    last = {.bus = bus.number, .version = version, .types = {}};
    for (const auto& [each, route] : *bus.routes.get())
      last.types.insert(each);
  }
  return last.types.contains(&type);
}

// Why a message from outside is not admitted; or it is, and counts as in flight.
dispatch_result enter(runtime::actors_part& node, bus_part& bus, const envelope& message) {
  const auto& head = message.head();
  if (node.closed.load(std::memory_order_acquire))
    return refused(failure_kind::stopped, message,
                   "the node is stopping; dispatch again when it has restarted");
  bool served_here = bus.kind == bus_kind::event || served(bus, message.type());
  if (!served_here && node.others) {
    if (auto why = node.others->refuses(message))
      return *why;
  } else if (!served_here) {
    return refused(
        failure_kind::no_handler, message,
        "nobody serves " + std::string{message.type().name} + "; host the component that does");
  }
  if (!bus.admitted.enter()) {
    return refused(failure_kind::overloaded, message,
                   std::to_string(bus.admitted.max()) + " messages are in flight on the " +
                       std::string{to_string(bus.kind)} + " bus, its bound; try again later");
  }
  return receipt{head.id, head.correlation};
}

// Middleware, then everything that may refuse a message from outside, then `send`, which opens the
// conversation. A refusal is remembered for waits that come later, unless nobody else knows the
// conversation.
template <class Send>
dispatch_result admit(runtime::actors_part& node, bus_kind kind, envelope message,
                      bool remember_refusal, Send send) {
  auto& bus = node.bus(kind);
  auto correlation = message.head().correlation;
  auto id = message.head().id;
  bool admitted = false;
  auto go = [&](envelope passed) -> dispatch_result {
    auto entered = enter(node, bus, passed);
    if (!entered)
      return entered;
    admitted = true;
    send(std::move(passed));
    return entered;
  };
  auto result = bus.has_dispatch_middleware.load(std::memory_order_relaxed)
                    ? through_middleware(bus, std::move(message), go)
                    : go(std::move(message));
  if (!result && !admitted) {
    node.counters.count_refused(result.error().kind);
    if (remember_refusal) {
      auto why = result.error();
      why.message = id;
      node.talks->refuse(correlation, std::move(why), node.now());
    }
  }
  return result;
}

}  // namespace

dispatch_result runtime::dispatch(bus_kind bus, envelope message) {
  auto sent = admit(*actors_, bus, std::move(message), true, [&](envelope admitted) {
    auto how = actors_->talks->open(admitted.head().correlation, opened_by(admitted));
    if (actors_->begins(admitted, how))
      actors_->deliver(bus, std::move(admitted));
  });
  if (!sent)
    actors_->log_refused(sent.error());
  return sent;
}

raw_answer runtime::dispatch_and_wait(bus_kind bus, envelope message, wait_spec spec) {
  auto& node = *actors_;
  if (inside_handler())
    return blocking_in_handler();
  auto deadline = deadline_after(node.now(), spec.limit);
  std::optional<raw_answer> answer;
  bool is_private = spec.private_conversation;
  auto sent = admit(node, bus, std::move(message), !is_private, [&](envelope admitted) {
    if (node.deterministic())
      answer = step_through(node, std::move(spec), deadline, opened_by(admitted), [&](opening how) {
        if (node.begins(admitted, how))
          node.bus(bus).deliver(std::move(admitted));
      });
    else
      answer = request(node, bus, std::move(admitted), wait_request{std::move(spec), deadline});
  });
  if (!sent)
    return sent.error();
  return or_stopped(std::move(answer));
}

void runtime::dispatch_and_wait(bus_kind bus, envelope message, wait_spec spec,
                                answer_callback then) {
  auto& node = *actors_;
  bool is_private = spec.private_conversation;
  // The message has the same time limit.
  auto deadline = message.head().deadline;
  auto wait = std::make_unique<called_wait>(node, std::move(then));
  fill(*wait, std::move(spec), deadline);
  auto now = node.coarse_now();
  auto sent = admit(node, bus, std::move(message), !is_private, [&](envelope admitted) {
    auto how = node.talks->wait(std::move(wait), now, opened_by(admitted));
    if (node.begins(admitted, how))
      node.deliver(bus, std::move(admitted));
  });
  if (!wait)
    return;
  auto& unsent = *wait;
  unsent.complete(sent ? swallowed() : sent.error(), std::move(wait));
}

raw_answer runtime::wait(bus_kind bus, wait_spec spec) {
  auto& node = *actors_;
  if (inside_handler())
    return blocking_in_handler();
  auto deadline = deadline_after(node.now(), spec.limit);
  if (node.deterministic())
    return or_stopped(step_through(node, std::move(spec), deadline, {}, [](opening) {}));
  if (node.stopped.load(std::memory_order_acquire))
    return or_stopped(std::nullopt);
  return or_stopped(request(node, bus, wait_request{std::move(spec), deadline}));
}

void runtime::wait(bus_kind, wait_spec spec, answer_callback then) {
  auto& node = *actors_;
  auto wait = std::make_unique<called_wait>(node, std::move(then));
  auto deadline = deadline_after(node.now(), spec.limit);
  fill(*wait, std::move(spec), deadline);
  node.talks->wait(std::move(wait), node.now());
}

}  // namespace microlith::internal
