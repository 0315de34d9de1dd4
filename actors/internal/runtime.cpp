#include <microlith/actors/context.hpp>
#include <microlith/actors/internal/actors_part.hpp>

#include <thread>

namespace microlith::internal {

namespace {

thread_local bool in_handler = false;

failure refused(failure_kind kind, const envelope& message, std::string text) {
  return {.kind = kind,
          .certainty = certainty::not_done,
          .text = std::move(text),
          .message = message.head().id};
}

std::string place_text(const std::source_location& place) {
  return std::string{place.file_name()} + ":" + std::to_string(place.line());
}

// A wait whose answer is a CAF response.
class requested_wait final : public pending_wait {
 public:
  requested_wait(caf::response_promise promise, caf::strong_actor_ptr self)
      : promise_{std::move(promise)}, self_{std::move(self)} {}

  void complete(raw_answer&& answer) override {
    answer_request(promise_, self_, answer_message{std::move(answer)});
  }

 private:
  caf::response_promise promise_;
  caf::strong_actor_ptr self_;
};

// A wait whose answer goes to a function, on the actor that runs callbacks.
class called_wait final : public pending_wait {
 public:
  called_wait(runtime::actors_part& node, answer_callback then)
      : node_{node}, then_{std::move(then)} {}

  void complete(raw_answer&& answer) override {
    node_.call_back({std::move(then_), std::move(answer)});
  }

 private:
  runtime::actors_part& node_;
  answer_callback then_;
};

// Under the deterministic scheduler: the waiting thread itself makes the steps.
class stepped_wait final : public pending_wait {
 public:
  /// Shared, because a wait without end may outlive the one that waits.
  explicit stepped_wait(std::shared_ptr<std::optional<raw_answer>> out) : out_{std::move(out)} {}
  void complete(raw_answer&& answer) override { *out_ = std::move(answer); }

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

// What the dispatch middleware of a bus makes of a message; `last` is what comes after all of it.
dispatch_result through_middleware(bus_part& bus, envelope message, const next_dispatch& last) {
  auto id = message.head().id;
  auto type = message.type().name;
  auto around = bus.around_dispatch.get();
  std::size_t next = 0;
  next_dispatch go = [&](envelope passed) -> dispatch_result {
    return next < around->size() ? (*around)[next++](std::move(passed), go)
                                 : last(std::move(passed));
  };
  try {
    return go(std::move(message));
  } catch (...) {
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = "middleware around the dispatch of " + std::string{type} +
                           " threw: " + current_exception_text(),
                   .message = id};
  }
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
                                       steady_time deadline, Send send) {
  auto answer = std::make_shared<std::optional<raw_answer>>();
  auto wait = std::make_unique<stepped_wait>(answer);
  fill(*wait, std::move(spec), deadline);
  node.talks->wait(std::move(wait), node.now());
  send();
  auto& scheduler = node.test_scheduler();
  while (!*answer && (scheduler.try_run_once() || scheduler.trigger_timeout())) {
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

handler_scope::handler_scope() : before_{std::exchange(in_handler, true)} {}
handler_scope::~handler_scope() {
  in_handler = before_;
}

bool inside_handler() {
  return in_handler;
}

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

failure handler_threw(const envelope& message, const std::string& component,
                      const std::string& what) {
  std::string text = "the handler of ";
  text += message.type().name;
  if (!component.empty())
    text += " in " + component;
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = text + " threw: " + what,
          .message = message.head().id};
}

failure past_deadline(const envelope& message) {
  return refused(failure_kind::timeout, message,
                 std::string{message.type().name} +
                     " was past its deadline before work on it began; nothing was done");
}

bool sort_outgoing(runtime::actors_part& node, std::vector<outgoing>& sent, append_job& job,
                   failure& why) {
  for (auto& each : sent) {
    auto& bus = node.bus(each.bus);
    if (bus.has_dispatch_middleware.load(std::memory_order_relaxed) &&
        each.message.type().kind != message_kind::response) {
      auto result = through_middleware(bus, each.message, [&](envelope message) -> dispatch_result {
        each.message = std::move(message);
        return receipt{each.message.head().id, each.message.head().correlation};
      });
      if (!result) {
        why = result.error();
        return false;
      }
    }
    switch (each.message.type().kind) {
      case message_kind::event:
        job.request.events.push_back({std::move(each.message), std::move(each.stream)});
        break;
      case message_kind::rejection:
        job.rejections.push_back(std::move(each.message));
        break;
      default:
        job.then_send.push_back(std::move(each));
    }
  }
  sent.clear();
  return true;
}

envelope_head caused_head(const envelope& cause, wall_time now) {
  const auto& from = cause.head();
  if (from.depth >= max_causation_depth)
    throw std::length_error{"a chain of " + std::to_string(max_causation_depth) +
                            " messages that cause each other ends here: " +
                            std::string{cause.type().name} + " may be causing itself"};
  return {.id = message_id::make(),
          .correlation = from.correlation,
          .causation = from.id,
          .root = from.root,
          .time = now,
          .deadline = from.deadline,
          .depth = static_cast<std::uint16_t>(from.depth + 1),
          .facts = from.facts};
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

// Why a message from outside is not admitted; or it is, and counts as in flight.
dispatch_result enter(runtime::actors_part& node, bus_part& bus, const envelope& message) {
  const auto& head = message.head();
  if (node.closed.load(std::memory_order_acquire))
    return refused(failure_kind::stopped, message,
                   "the node is stopping; dispatch again when it has restarted");
  if (bus.kind != bus_kind::event && !bus.routes.get()->contains(&message.type()))
    return refused(
        failure_kind::no_handler, message,
        "nobody serves " + std::string{message.type().name} + "; host the component that does");
  if (!bus.admitted.enter()) {
    node.counters.refused_overloaded.fetch_add(1, std::memory_order_relaxed);
    return refused(failure_kind::overloaded, message,
                   std::to_string(bus.admitted.max()) + " messages are in flight on the " +
                       std::string{to_string(bus.kind)} + " bus, its bound; try again later");
  }
  return receipt{head.id, head.correlation};
}

// Middleware, then everything that may refuse a message from outside, then `send`. A refusal is
// remembered for waits that come later, unless nobody else knows the conversation.
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
    node.talks->open(passed.head().correlation, passed.head().id);
    bus.sent.fetch_add(1, std::memory_order_relaxed);
    send(std::move(passed));
    return entered;
  };
  auto result = bus.has_dispatch_middleware.load(std::memory_order_relaxed)
                    ? through_middleware(bus, std::move(message), go)
                    : go(std::move(message));
  if (!result && !admitted && remember_refusal) {
    auto why = result.error();
    why.message = id;
    node.talks->refuse(correlation, std::move(why), node.now());
  }
  return result;
}

}  // namespace

dispatch_result runtime::dispatch(bus_kind bus, envelope message) {
  return admit(*actors_, bus, std::move(message), true, [&](envelope admitted) {
    caf::anon_send(actors_->bus(bus).actor, std::move(admitted));
  });
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
      answer = step_through(node, std::move(spec), deadline,
                            [&] { caf::anon_send(node.bus(bus).actor, std::move(admitted)); });
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
  auto now = node.now();
  bool is_private = spec.private_conversation;
  auto wait = std::make_unique<called_wait>(node, std::move(then));
  fill(*wait, std::move(spec), deadline_after(now, spec.limit));
  auto sent = admit(node, bus, std::move(message), !is_private, [&](envelope admitted) {
    node.talks->wait(std::move(wait), now);
    caf::anon_send(node.bus(bus).actor, std::move(admitted));
  });
  if (wait)
    wait->complete(sent ? swallowed() : sent.error());
}

raw_answer runtime::wait(bus_kind bus, wait_spec spec) {
  auto& node = *actors_;
  if (inside_handler())
    return blocking_in_handler();
  auto deadline = deadline_after(node.now(), spec.limit);
  if (node.deterministic())
    return or_stopped(step_through(node, std::move(spec), deadline, [] {}));
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

namespace {

failure stopped_serving(const message_type& type) {
  return {.kind = failure_kind::stopped,
          .certainty = certainty::not_done,
          .text = "the node has stopped: nobody can serve " + std::string{type.name} + " any more",
          .message = {}};
}

// Adds a route unless the type has one; says where that one was made.
result<void, failure> add_route(bus_part& bus, const message_type& type,
                                std::shared_ptr<const route> added) {
  return bus.routes.update([&](route_table& table) -> result<void, failure> {
    auto [at, is_new] = table.emplace(&type, added);
    if (is_new)
      return {};
    auto named = [](const route& r) {
      return (r.component.empty() ? "" : r.component + " at ") + place_text(r.place);
    };
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = std::string{type.name} + " has a handler already (" +
                           named(*at->second) + "); a second one (" + named(*added) +
                           ") is refused: a command or query has exactly one",
                   .message = {}};
  });
}

}  // namespace

result<subscription, failure> runtime::serve(bus_kind kind, handler_definition definition) {
  auto& bus = actors_->bus(kind);
  const auto& type = *definition.type;
  auto added = std::make_shared<route>();
  added->component = definition.component;
  added->place = definition.place;
  handler_actor actor;
  result<void, failure> ok = stopped_serving(type);
  actors_->unless_retired([&] {
    actor = spawn_handler(*this, kind, std::move(definition), nullptr);
    added->receivers.push_back(actor);
    ok = add_route(bus, type, added);
    if (!ok)
      caf::anon_send(actor, stop_atom::value);
  });
  if (!ok)
    return ok.error();
  return subscription{[weak = weak_from_this(), kind, &type, actor] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    auto& from = self->actors_->bus(kind);
    from.routes.update([&](route_table& table) { table.erase(&type); });
    caf::anon_send(from.actor,
                   retire_message{[actor] { caf::anon_send(actor, stop_atom::value); }});
  }};
}

result<subscription, failure> runtime::serve(std::shared_ptr<const decider_definition> decider) {
  auto& bus = actors_->bus(bus_kind::command);
  auto shard_count = decider->options.shards != 0
                         ? decider->options.shards
                         : std::max(1u, std::thread::hardware_concurrency());
  std::vector<shard_actor> shards;
  std::vector<const message_type*> served;
  auto unroute = [](bus_part& from, const std::vector<const message_type*>& types) {
    from.routes.update([&](route_table& table) {
      for (const auto* type : types)
        table.erase(type);
    });
  };
  result<void, failure> ok = stopped_serving(*decider->commands.front().type);
  actors_->unless_retired([&] {
    for (unsigned i = 0; i < shard_count; ++i)
      shards.push_back(spawn_shard(*this, decider));
    for (const auto& command : decider->commands) {
      auto added = std::make_shared<route>();
      added->component = decider->component;
      added->place = decider->place;
      for (const auto& shard : shards)
        added->receivers.push_back(shard);
      added->pick = [key = command.key, shard_count](const envelope& message) {
        return std::hash<std::string>{}(key(message.body())) % shard_count;
      };
      ok = add_route(bus, *command.type, added);
      if (!ok)
        break;
      served.push_back(command.type);
    }
  });
  auto retire = [shards] {
    for (const auto& shard : shards)
      caf::anon_send(shard, stop_atom::value);
  };
  if (!ok) {
    unroute(bus, served);
    retire();
    return ok.error();
  }
  return subscription{[weak = weak_from_this(), served, retire, unroute] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    auto& from = self->actors_->bus(bus_kind::command);
    unroute(from, served);
    caf::anon_send(from.actor, retire_message{retire});
  }};
}

subscription runtime::listen(handler_definition definition, live_options options) {
  auto live = std::make_shared<live_subscriber>();
  const auto& type = *definition.type;
  live->options = std::move(options);
  subscription added;
  actors_->unless_retired([&] {
    live->function = spawn_handler(*this, bus_kind::event, std::move(definition), live);
    added = actors_->add_subscriber(type, live, weak_from_this());
  });
  return added;
}

void runtime::use(bus_kind kind, dispatch_middleware around) {
  auto& bus = actors_->bus(kind);
  bus.around_dispatch.update([&](auto& all) { all.push_back(std::move(around)); });
  bus.has_dispatch_middleware.store(true, std::memory_order_release);
}

void runtime::use(bus_kind kind, handle_middleware around) {
  auto& bus = actors_->bus(kind);
  bus.around_handle.update([&](auto& all) { all.push_back(std::move(around)); });
  bus.has_handle_middleware.store(true, std::memory_order_release);
}

// --- actors_part

runtime::actors_part::actors_part(node_options given)
    : options{std::move(given)},
      epoch_steady_{std::chrono::steady_clock::now()},
      epoch_wall_{std::chrono::time_point_cast<std::chrono::microseconds>(
          std::chrono::system_clock::now())} {
  for (auto kind : {bus_kind::command, bus_kind::query, bus_kind::event})
    bus(kind).kind = kind;
  bus(bus_kind::command).admitted.bound(options.max_commands_in_flight);
  bus(bus_kind::query).admitted.bound(options.max_queries_in_flight);
  bus(bus_kind::event).admitted.bound(options.max_events_in_flight);
  own_facts = std::make_shared<const conversation_facts>(
      conversation_facts{.origin = options.name, .principal = {}, .headers = {}});
}

caf::scheduler::test_coordinator& runtime::actors_part::test_scheduler() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
}

steady_time runtime::actors_part::now() const {
  if (deterministic())
    return const_cast<actors_part*>(this)->system->clock().now();
  return std::chrono::steady_clock::now();
}

wall_time runtime::actors_part::wall_now() const {
  using std::chrono::microseconds;
  if (deterministic()) {
    // A fixed day, so that runs repeat: 2026-01-01 00:00 UTC and the virtual time since the start.
    constexpr wall_time start{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
    return start + std::chrono::duration_cast<microseconds>(now() - epoch_steady_);
  }
  return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
}

void runtime::actors_part::release(const envelope& message) {
  const auto& head = message.head();
  if (head.id != head.root)
    return;
  switch (message.type().kind) {
    case message_kind::command:
      bus(bus_kind::command).admitted.leave();
      break;
    case message_kind::query:
      bus(bus_kind::query).admitted.leave();
      break;
    default:
      bus(bus_kind::event).admitted.leave();
  }
}

void runtime::actors_part::finished(const envelope& message, accepted how) {
  talks->finish(message.head().correlation, message.head().id, how, now());
  release(message);
}

void runtime::actors_part::failed(const envelope& message, failure why) {
  why.message = message.head().id;
  talks->fail(message.head().correlation, message.head().root, std::move(why), now());
  release(message);
}

void runtime::actors_part::forward(bus_kind kind, envelope message) {
  auto& to = bus(kind);
  if (message.type().kind == message_kind::response) {
    talks->pass(message, now());
    return;
  }
  to.sent.fetch_add(1, std::memory_order_relaxed);
  caf::anon_send(to.actor, std::move(message));
}

void runtime::actors_part::append(append_job&& job) {
  writer_sent.fetch_add(1, std::memory_order_relaxed);
  caf::anon_send(writer, std::move(job));
}

void runtime::actors_part::log(log_level level, const std::string& text) const {
  if (options.log)
    options.log(level, text);
}

void runtime::actors_part::around_handle(bus_kind kind, const envelope& message,
                                         const std::function<void()>& handle) {
  auto& at = bus(kind);
  if (!at.has_handle_middleware.load(std::memory_order_relaxed)) {
    handle();
    return;
  }
  auto around = at.around_handle.get();
  std::size_t next = 0;
  std::function<void()> go = [&] {
    if (next < around->size())
      (*around)[next++](message, go);
    else
      handle();
  };
  go();
}

subscription runtime::actors_part::add_subscriber(const message_type& type,
                                                  std::shared_ptr<live_subscriber> live,
                                                  std::weak_ptr<runtime> node) {
  subscribers.update([&](subscriber_table& table) { table[&type].push_back(live); });
  return subscription{[weak = std::move(node), &type, live] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    self->actors_->subscribers.update(
        [&](subscriber_table& table) { std::erase(table[&type], live); });
    if (live->function)
      caf::anon_send(live->function, stop_atom::value);
  }};
}

std::unique_ptr<caf::scoped_actor> runtime::actors_part::borrow() {
  {
    std::lock_guard lock{pool_mutex_};
    if (!pool_.empty()) {
      auto self = std::move(pool_.back());
      pool_.pop_back();
      return self;
    }
  }
  return std::make_unique<caf::scoped_actor>(*system);
}

void runtime::actors_part::give_back(std::unique_ptr<caf::scoped_actor> self) {
  constexpr std::size_t max_pooled = 64;
  std::lock_guard lock{pool_mutex_};
  if (!pool_closed_ && pool_.size() < max_pooled)
    pool_.push_back(std::move(self));
}

void runtime::actors_part::close_pool() {
  std::lock_guard lock{pool_mutex_};
  pool_closed_ = true;
  pool_.clear();
}

void runtime::actors_part::call_back(callback_message&& message) {
  {
    std::shared_lock lock{callback_mutex_};
    if (!stopped.load(std::memory_order_relaxed)) {
      caf::anon_send(callbacks, std::move(message));
      return;
    }
  }
  message.then(std::move(message.answer));
}

void runtime::actors_part::close_callbacks() {
  // What was sent before reaches the callback actor before its stop does.
  std::unique_lock lock{callback_mutex_};
  stopped.store(true, std::memory_order_release);
}

}  // namespace microlith::internal
