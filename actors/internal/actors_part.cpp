// Admission given back, messages on their way, the clock, and lent actors.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/messages/coarse_clock.hpp>

namespace microlith::internal {

namespace {

// Facts that name nothing but the origin. Every message of a node that has no others points at
// them, and counting those pointers would be the most contended counter of all: they are kept for
// ever and not counted.
std::shared_ptr<const conversation_facts> facts_of_origin(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, conversation_facts> all;
  std::lock_guard lock{mutex};
  const auto& kept =
      all.try_emplace(name, conversation_facts{.origin = name, .principal = {}, .headers = {}})
          .first->second;
  return {std::shared_ptr<void>{}, &kept};
}

}  // namespace

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
  own_facts = facts_of_origin(options.name);
}

caf::scheduler::test_coordinator& runtime::actors_part::test_scheduler() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
}

steady_time runtime::actors_part::now() const {
  if (deterministic())
    return const_cast<actors_part*>(this)->system->clock().now();
  return std::chrono::steady_clock::now();
}

steady_time runtime::actors_part::coarse_now() const {
  return deterministic() ? now() : coarse_steady_now();
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

std::optional<bus_kind> runtime::actors_part::admitted_by(const envelope& message) {
  const auto& head = message.head();
  if (head.id != head.root)
    return std::nullopt;
  switch (message.type().kind) {
    case message_kind::command:
      return bus_kind::command;
    case message_kind::query:
      return bus_kind::query;
    default:
      return bus_kind::event;
  }
}

void runtime::actors_part::release(const envelope& message) {
  if (auto by = admitted_by(message))
    bus(*by).admitted.leave();
}

void runtime::actors_part::finished(const envelope& message, accepted how) {
  concluded(message, {}, how, now());
}

void runtime::actors_part::concluded(const envelope& cause, std::span<const envelope* const> caused,
                                     const std::optional<accepted>& how, steady_time now) {
  conclusions one;
  concluded(cause, caused, how, now, one);
  tell(one);
}

void runtime::actors_part::concluded(const envelope& cause, std::span<const envelope* const> caused,
                                     const std::optional<accepted>& how, steady_time now,
                                     conclusions& gathered) {
  bool of_another_node = others && came_over_a_link(cause);
  if (how && !of_another_node) {
    if (auto by = admitted_by(cause))
      ++gathered.left[static_cast<std::size_t>(*by)];
  }
  talks->conclude(cause.head().correlation, caused, cause.head().id, how, now, gathered.waits);
  if (!others)
    return;
  for (const auto* message : caused)
    others->publish(*message);
  if (how)
    others->has_ended(cause);
  if (how && of_another_node)
    others->finished(cause, *how);
}

void runtime::actors_part::tell(conclusions& gathered) {
  // Who has its answer may send the next at once: there must be room for it.
  for (auto& bus : buses) {
    if (auto count = std::exchange(gathered.left[static_cast<std::size_t>(bus.kind)], 0))
      bus.admitted.leave(count);
  }
  talks->tell(gathered.waits);
}

void runtime::actors_part::failed(const envelope& message, failure why) {
  why.message = message.head().id;
  const auto& head = message.head();
  bool of_another_node = others && came_over_a_link(message);
  if (!of_another_node)
    release(message);
  if (others)
    others->has_ended(message);
  bool dealt_with = talks->fail(head.correlation, head.root, why, now());
  if (of_another_node)
    others->failed(message, why);  // the node that sent it goes on from here
  else if (others && !dealt_with)
    others->pass_failure(message, why);
}

void runtime::actors_part::turned_away(const envelope& message, failure why) {
  counters.count_refused(why.kind);
  log_refused(why);
  failed(message, std::move(why));
}

bool runtime::actors_part::begins(const envelope& message, opening how) {
  if (message.type().kind != message_kind::command)
    return true;
  if (how == opening::while_running) {
    release(message);
    return false;
  }
  // Of a new message nothing can be in the journal; asking there costs more than all the rest.
  const auto& id = message.head().id;
  auto age = coarse_system_now() - id.time();
  if (how == opening::first && age < options.keep_answers)
    return true;
  auto before = journal->append_of(id);
  if (!before || !*before)
    return true;
  replay(message, {(*before)->first, (*before)->last});
  if (others)
    others->passed_by(message);
  finished(message, {(*before)->last});
  return false;
}

result<std::optional<envelope>, failure> runtime::actors_part::recall(
    std::uint64_t position, std::span<const message_type* const> types) const {
  type_catalog wanted;
  for (const auto* type : types)
    static_cast<void>(wanted.add(*type));
  std::optional<envelope> found;
  std::string problem;
  auto read = journal->read(position, {.events = 1}, [&](const record_view& record) {
    if (wanted.find(record.type->name) != nullptr) {
      if (auto event = to_envelope(record, wanted))
        found = *std::move(event);
      else
        problem = to_string(event.error());
    }
    return false;
  });
  if (!read)
    problem = to_string(read.error());
  if (problem.empty())
    return found;
  return failure{.kind = failure_kind::forgotten,
                 .certainty = certainty::unknown,
                 .text = "the event at position " + std::to_string(position) +
                         ", which may be what is waited for, cannot be read: " + problem,
                 .message = {}};
}

void runtime::actors_part::replay(const envelope& cause, const already_appended& before) {
  auto correlation = cause.head().correlation;
  auto known = catalog.get();
  auto pass = [&](const envelope& event) {
    talks->pass(event, now());
    if (others)
      others->pass_on(event, cause.head());
  };
  auto from = before.first_position;
  while (from != 0 && from <= before.last_position) {
    auto read = journal->read(from, {.events = before.last_position - from + 1},
                              [&](const record_view& record) {
                                if (auto event = to_envelope(record, *known)) {
                                  if (event->head().correlation == correlation) {
                                    pass(*event);
                                  } else {
                                    auto head = event->head();
                                    head.correlation = correlation;
                                    pass(event->with_head(std::move(head)));
                                  }
                                }
                                return record.position < before.last_position;
                              });
    if (!read || read->end)
      break;
    from = read->next;
  }
}

void runtime::actors_part::deliver(bus_kind kind, envelope&& message) {
  if (kind == bus_kind::event)
    append_alone(std::move(message));
  else
    bus(kind).deliver(std::move(message));
}

void runtime::actors_part::append_alone(envelope&& message) {
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  job.cause = message;
  job.ends_cause = true;
  if (message.type().kind == message_kind::rejection) {
    job.rejections.push_back(std::move(message));
  } else {
    job.request.id = message.head().id;
    std::string stream;
    try {
      if (auto stream_of = message.type().stream)
        stream = stream_of(message.body());
    } catch (...) {
      failed(message, handler_threw(message, {}, "stream_of: " + current_exception_text()));
      return;
    }
    job.request.events.push_back({std::move(message), std::move(stream)});
  }
  append(std::move(made));
}

void runtime::actors_part::forward(bus_kind kind, envelope message) {
  auto& to = bus(kind);
  if (message.type().kind == message_kind::response) {
    talks->pass(message, now());
    if (others)
      others->pass_on(message, message.head());
    return;
  }
  to.deliver(std::move(message));
}

void runtime::actors_part::append(std::unique_ptr<append_job> job) {
  if (others && !others->has_journal()) {
    others->append(std::move(job));
    return;
  }
  if (to_append.push(std::move(job)))
    caf::anon_send(writer, bell_atom::value);
}

void runtime::actors_part::append_all(std::vector<std::unique_ptr<append_job>>& jobs) {
  if (jobs.empty())
    return;
  if (others && !others->has_journal()) {
    for (auto& job : jobs)
      others->append(std::move(job));
    jobs.clear();
  } else if (to_append.push_all(jobs)) {
    caf::anon_send(writer, bell_atom::value);
  }
}

void runtime::actors_part::ring_followers() {
  auto ring = [](const auto& all) {
    for (const auto& [name, follower] : all) {
      if (!follower->rung.exchange(true, std::memory_order_acq_rel))
        caf::anon_send(follower->actor, bell_atom::value);
    }
  };
  ring(*projectors.get());
  ring(*durables.get());
}

void runtime::actors_part::routes_changed() {
  if (others)
    others->routes_changed();
}

bool runtime::actors_part::step() {
  return steps ? others->wiring()->step() : test_scheduler().try_run_once();
}

bool runtime::actors_part::jump() {
  return steps ? others->wiring()->jump() : test_scheduler().trigger_timeout();
}

void runtime::actors_part::log(log_level level, const std::string& text) const {
  if (options.log)
    options.log(level, text);
}

void runtime::actors_part::log_refused(const failure& why) {
  refusals.tell(why, coarse_now(),
                [this](const std::string& text) { log(log_level::warning, text); });
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

void called_wait::complete(raw_answer&& answer, std::unique_ptr<pending_wait> self) {
  answer_ = std::move(answer);
  node_.call_back(std::unique_ptr<called_wait>{static_cast<called_wait*>(self.release())});
}

void runtime::actors_part::call_back(std::unique_ptr<called_wait> ended) {
  switch (to_call_back.push_unless_closed(ended)) {
    case pushed::quietly:
      break;
    case pushed::must_ring:
      caf::anon_send(callbacks, bell_atom::value);
      break;
    case pushed::not_at_all:
      ended->call();
  }
}

void runtime::actors_part::close_callbacks() {
  // What was sent before reaches the callback actor before its stop does.
  to_call_back.close();
  stopped.store(true, std::memory_order_release);
}

}  // namespace microlith::internal
