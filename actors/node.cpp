#include <microlith/actors/caf.hpp>
#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster_start.hpp>
#include <microlith/actors/internal/hosted_components.hpp>
#include <microlith/actors/node.hpp>
#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/owner.hpp>

#include <thread>

namespace microlith {

namespace internal {

// Builds a runtime and takes it down again: an assembly list.
class node_assembly {
 public:
  static std::shared_ptr<runtime> make(node_options options) {
    auto made = std::make_shared<runtime>();
    made->actors_ = std::make_unique<runtime::actors_part>(std::move(options));
    return made;
  }

  static void start_actors(runtime& of) {
    auto& part = *of.actors_;
    auto threads = part.options.threads != 0 ? part.options.threads
                                             : std::max(1u, std::thread::hardware_concurrency());
    part.config.set("scheduler.max-threads", static_cast<std::int64_t>(threads));
    // Idle workers of the stealing scheduler sleep, which makes a request take 125 µs instead
    // of 16.
    part.config.set("scheduler.policy",
                    part.deterministic() ? caf::atom("testing") : caf::atom("sharing"));
    // Unlimited, one busy actor starves the others where there is one thread.
    part.config.set("scheduler.max-throughput", std::int64_t{300});
    part.config.set("logger.verbosity", caf::atom("quiet"));
    if (part.others && part.others->wiring() == nullptr)
      load_network(part.config);
    part.system.emplace(part.config);
    if (part.deterministic())
      part.epoch_steady_ = part.now();
    if (part.deterministic() && part.others && part.others->wiring() != nullptr) {
      part.steps = make_steps(part.test_scheduler());
      part.others->wiring()->join(*part.steps);
    }
    part.timekeeper = spawn_timekeeper(of);
    part.callbacks = spawn_callbacks(of);
    part.talks = std::make_unique<conversations>(
        conversation_limits{.max_waits = part.options.max_waits,
                            .max_answered_slots = part.options.max_answered_slots,
                            .max_kept_messages = 64,
                            .keep = part.options.keep_answers},
        part.counters,
        [&part](steady_time when) {
          caf::anon_send(part.timekeeper, arm_atom::value,
                         static_cast<std::int64_t>(when.time_since_epoch().count()));
        },
        [&part](const envelope& late) {
          part.log(log_level::warning, "an answer came after its wait had ended: " + late.print());
        });
    part.writer = spawn_writer(of);
    part.workshop = spawn_workshop(of);
    for (auto& bus : part.buses) {
      bus.actor = spawn_bus(of, bus.kind);
      bus.front = spawn_bus_front(of, bus.kind);
    }
  }

  static void join_cluster(runtime& of, cluster_setup setup, hosted_components& hosted) {
    auto& part = *of.actors_;
    part.others = std::make_shared<cluster>(of, std::move(setup), hosted);
  }

  static void drain(runtime::actors_part& part) {
    auto idle = [&part, durables = part.durables.get()] {
      return std::all_of(part.buses.begin(), part.buses.end(),
                         [](const bus_part& bus) { return bus.admitted.in_flight() == 0; }) &&
             std::all_of(durables->begin(), durables->end(),
                         [](const auto& each) { return each.second->in_flight.load() == 0; }) &&
             (!part.others || (part.others->handling() == 0 && part.others->appending() == 0));
    };
    if (part.others)
      part.others->announce_stop();
    if (part.deterministic()) {
      while (part.step()) {
      }
      return;
    }
    auto until = std::chrono::steady_clock::now() + part.options.drain;
    // Polled, because it happens once and the counters are hot otherwise.
    while (!idle() && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }

  static void flush(runtime::actors_part& part) {
    if (part.deterministic()) {
      part.test_scheduler().run();
      return;
    }
    caf::scoped_actor self{*part.system};
    self->request(part.writer, caf::infinite, flush_atom::value)
        .receive([](bool) {}, [](const caf::error&) {});
  }

  static void quit(runtime::actors_part& part) {
    // The handles stay: another thread may be sending, which then comes to nothing.
    auto stop = [](const auto& actor) {
      if (actor)
        caf::anon_send(actor, stop_atom::value);
    };
    part.retire();
    for (auto& bus : part.buses) {
      for (const auto& [type, route] : *bus.routes.get()) {
        for (const auto& receiver : route->receivers)
          caf::anon_send(caf::actor_cast<caf::actor>(receiver.actor), stop_atom::value);
      }
      bus.routes.update([](route_table& table) { table.clear(); });
    }
    for (const auto& [type, all] : *part.subscribers.get()) {
      for (const auto& subscriber : all) {
        if (subscriber->function)
          caf::anon_send(subscriber->function, stop_atom::value);
      }
    }
    part.subscribers.update([](subscriber_table& table) { table.clear(); });
    for (auto& bus : part.buses) {
      stop(bus.front);
      stop(bus.actor);
    }
    for (const auto& [name, projector] : *part.projectors.get())
      stop(projector->actor);
    for (const auto& [name, durable] : *part.durables.get())
      stop(durable->actor);
    stop(part.workshop);
    stop(part.writer);
    stop(part.snapshotter);
    stop(part.timekeeper);
    stop(part.callbacks);
    if (part.others)
      part.others->quit();
    if (part.deterministic())
      part.test_scheduler().run();
    else
      part.system->await_all_actors_done();
  }

  static void stop(runtime& of) {
    auto& part = *of.actors_;
    if (part.closed.exchange(true))
      return;
    for (const auto& [name, durable] : *part.durables.get())
      caf::anon_send(durable->actor, pause_atom::value);
    drain(part);
    flush(part);
    part.talks->stop();
    part.close_callbacks();
    part.close_pool();
    if (part.others)
      part.others->stop();
    quit(part);
    if (part.steps)
      part.others->wiring()->leave(*part.steps);
  }

  static void close(runtime& of) {
    auto& part = *of.actors_;
    part.projectors.update([](projector_table& table) { table.clear(); });
    part.durables.update([](durable_table& table) { table.clear(); });
    part.snapshots.reset();
    if (part.others)
      part.others->close_stores();
    part.journal.reset();
  }
};

}  // namespace internal

namespace {

failure storage_failure(const storage_error& error) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = to_string(error),
          .message = {}};
}

result<void, catalog_error> learn_types(internal::runtime::actors_part& part, const component& of) {
  return part.catalog.update([&](type_catalog& catalog) -> result<void, catalog_error> {
    for (const auto* type : of.types()) {
      if (auto added = catalog.add(*type); !added)
        return added;
    }
    return {};
  });
}

projection_statistics statistics_of(const internal::projector_part& projector,
                                    std::uint64_t journal_position) {
  auto position = projector.checkpoint.load(std::memory_order_acquire);
  return {.position = position,
          .lag = journal_position - std::min(position, journal_position),
          .caught_up = position >= journal_position,
          .stopped = projector.failed.load(std::memory_order_acquire),
          .rebuilding = projector.rebuilding.load(std::memory_order_acquire),
          .skipped_events = projector.store->skipped_count(),
          .trouble = projector.trouble()};
}

durable_statistics statistics_of(const internal::durable_part& durable,
                                 std::uint64_t journal_position) {
  auto position = durable.checkpoint.load(std::memory_order_acquire);
  const auto& store = *durable.store;
  auto parked = store.parked_keys();
  return {.position = position,
          .lag = journal_position - std::min(position, journal_position),
          .in_flight = durable.in_flight.load(),
          .retried_keys = store.held_keys() - std::min(parked, store.held_keys()),
          .parked_keys = parked,
          .parked_events = store.parked_events(),
          .delivered = durable.delivered.load(),
          .failures = durable.failures.load(),
          .trouble = durable.trouble()};
}

cluster_status cluster_status_of(const internal::runtime::actors_part& part) {
  auto all = part.others->status();
  for (const auto& bus : part.buses)
    all.in_flight += bus.admitted.in_flight();
  for (const auto& [name, projector] : *part.projectors.get()) {
    auto at = statistics_of(*projector, all.journal_position);
    all.followers.push_back({name, at.position, at.lag, at.trouble});
  }
  for (const auto& [name, durable] : *part.durables.get()) {
    auto at = statistics_of(*durable, all.journal_position);
    all.followers.push_back({name, at.position, at.lag, at.trouble});
  }
  return all;
}

// What another node sends is of this program's types, also where no component here mentions them.
void learn_program_types(internal::runtime::actors_part& part) {
  part.catalog.update([](type_catalog& catalog) {
    for (const auto* type : program_types()) {
      if (catalog.find(type->name) == nullptr)
        static_cast<void>(catalog.add(*type));
    }
  });
}

}  // namespace

struct node::hosted {
  explicit hosted(internal::runtime& of) : components{of} {}

  std::optional<data_owner> owner;
  internal::hosted_components components;
};

result<node, storage_error> node::start(node_options options, std::vector<component> components) {
  node made;
  auto data = options.data;
  std::optional<data_owner> owner;
  if (!data.empty()) {
    auto acquired = data_owner::acquire(data);
    if (!acquired)
      return acquired.error();
    owner.emplace(std::move(*acquired));
  }
  std::optional<internal::cluster_setup> setup;
  if (options.cluster) {
    auto planned = internal::plan_cluster(*options.cluster, components);
    if (!planned)
      return planned.error();
    options.name = planned->node;
    setup = std::move(*planned);
  }
  auto wrap = options.wrap_journal;
  auto map_bytes = options.journal_map_bytes;
  bool in_background = options.scheduler == scheduling::threads;
  made.runtime_ = internal::node_assembly::make(std::move(options));
  made.hosted_ = std::make_unique<hosted>(*made.runtime_);
  made.hosted_->owner = std::move(owner);
  auto& part = made.runtime_->actors();
  for (const auto& each : components) {
    if (auto learned = learn_types(part, each); !learned)
      return storage_error{.kind = storage_error_kind::unusable,
                           .text = to_string(learned.error())};
  }
  if (setup)
    internal::node_assembly::join_cluster(*made.runtime_, std::move(*setup),
                                          made.hosted_->components);
  bool elsewhere = part.others && !part.others->has_journal();
  if (elsewhere) {
    part.journal = part.others->make_journal();
  } else if (data.empty()) {
    part.journal = make_memory_journal();
  } else {
    std::vector<projection_group> inlined;
    for (const auto& each : components)
      for (const auto& projection : each.projections())
        if (projection.inlined())
          inlined.push_back(projection);
    auto opened = journal::open({.directory = data,
                                 .catalog = *part.catalog.get(),
                                 .map_limit_bytes = map_bytes,
                                 .inline_projections = std::move(inlined),
                                 .merge_in_background = in_background});
    if (!opened)
      return opened.error();
    part.journal = std::move(*opened);
  }
  if (wrap && !elsewhere)
    part.journal = wrap(std::move(part.journal));
  if (part.others)
    learn_program_types(part);
  internal::node_assembly::start_actors(*made.runtime_);
  auto refuse = [&](std::string why) {
    made.stop();
    return storage_error{.kind = storage_error_kind::unusable, .text = std::move(why)};
  };
  if (!part.others) {
    for (const auto& each : components) {
      if (auto ok = made.host(each); !ok)
        return refuse(ok.error().text);
    }
    return made;
  }
  made.hosted_->components.offer(std::move(components));
  if (!elsewhere) {
    if (auto read = part.others->read_places(); !read)
      return refuse(read.error().text);
    if (auto ok = part.others->begin_here(); !ok)
      return refuse(ok.error().text);
  }
  auto links = internal::make_links(
      *part.system, part.others->setup(),
      [&part](const std::string& text) { part.log(log_level::warning, text); });
  if (!links)
    return refuse(links.error().text);
  part.others->start(std::move(*links), [&part] { return cluster_status_of(part); });
  return made;
}

node::node(node&& other) noexcept = default;

node& node::operator=(node&& other) noexcept {
  if (this != &other) {
    stop();
    runtime_ = std::move(other.runtime_);
    hosted_ = std::move(other.hosted_);
  }
  return *this;
}

node::~node() {
  stop();
}

void node::stop() {
  if (!runtime_ || !hosted_)
    return;
  auto& part = runtime_->actors();
  if (part.system) {
    internal::node_assembly::stop(*runtime_);
  }
  hosted_->components.forget();
  internal::node_assembly::close(*runtime_);
  hosted_.reset();
}

command_bus node::commands() const {
  return command_bus{runtime_};
}
query_bus node::queries() const {
  return query_bus{runtime_};
}
event_bus node::events() const {
  return event_bus{runtime_};
}

const subscription_store* node::subscription_state(const std::string& name) const {
  auto all = runtime_->actors().durables.get();
  auto at = all->find(name);
  return at == all->end() ? nullptr : at->second->store.get();
}

result<void, failure> node::about_parked(const std::string& subscription, const std::string& key,
                                         bool drop, std::optional<std::uint64_t> position) {
  auto refuse = [](failure_kind kind, std::string text) {
    return failure{
        .kind = kind, .certainty = certainty::not_done, .text = std::move(text), .message = {}};
  };
  auto all = runtime_->actors().durables.get();
  auto at = all->find(subscription);
  if (at == all->end())
    return refuse(failure_kind::no_handler,
                  "no durable subscription " + subscription + " is hosted here");
  auto held = at->second->store->find(key);
  if (!held)
    return storage_failure(held.error());
  if (!*held || !(*held)->parked)
    return refuse(failure_kind::handler_failed, "durable subscription " + subscription +
                                                    " has not parked the key \"" + key +
                                                    "\": nothing is to be done about it");
  caf::anon_send(at->second->actor, internal::parked_message{key, drop, position});
  return {};
}

result<void, failure> node::replay_parked(const std::string& subscription, const std::string& key) {
  return about_parked(subscription, key, false, {});
}

result<void, failure> node::drop_parked(const std::string& subscription, const std::string& key,
                                        std::optional<std::uint64_t> position) {
  return about_parked(subscription, key, true, position);
}

result<void, failure> node::host(const component& added) {
  return hosted_->components.add(added);
}

bool node::hosts(std::string_view component) const {
  const auto& part = runtime_->actors();
  return !part.others || part.others->hosts(component);
}

std::size_t node::run() {
  std::size_t steps = 0;
  while (runtime_->actors().step())
    ++steps;
  return steps;
}

void node::advance(std::chrono::milliseconds time) {
  auto& part = runtime_->actors();
  run();
  if (part.steps)
    part.others->wiring()->advance(time);
  else
    part.test_scheduler().advance_time(time);
  run();
}

const journal& node::journal() const {
  return *runtime_->actors().journal;
}

const projection_rows* node::rows(const std::string& projection) const {
  auto& part = runtime_->actors();
  auto all = part.projectors.get();
  if (auto at = all->find(projection); at != all->end())
    return at->second->store.get();
  return part.journal ? part.journal->rows_of(projection) : nullptr;
}

std::optional<projection_statistics> node::progress_of(const std::string& projection) const {
  auto& part = runtime_->actors();
  auto all = part.projectors.get();
  auto at = all->find(projection);
  if (at == all->end()) {
    const auto* rows = part.journal ? part.journal->rows_of(projection) : nullptr;
    if (rows == nullptr)
      return std::nullopt;
    return projection_statistics{.position = rows->checkpoint(), .caught_up = true};
  }
  return statistics_of(*at->second, part.journal ? part.journal->last_position() : 0);
}

result<void, failure> node::rebuild(const std::string& projection) {
  auto all = runtime_->actors().projectors.get();
  auto at = all->find(projection);
  if (at == all->end())
    return failure{.kind = failure_kind::no_handler,
                   .certainty = certainty::not_done,
                   .text = "no projection " + projection + " is hosted here: it cannot be rebuilt",
                   .message = {}};
  caf::anon_send(at->second->actor, internal::rebuild_atom::value);
  return {};
}

statistics node::statistics() const {
  auto& part = runtime_->actors();
  microlith::statistics all;
  for (auto& bus : part.buses) {
    std::string name{to_string(bus.kind)};
    for (const auto& [type, route] : *bus.routes.get())
      all.messages.push_back({name, std::string{type->name}, route->count->load()});
    all.mailbox_depth[name] = bus.waiting.depth();
    all.in_flight[name] = bus.admitted.in_flight();
  }
  for (const auto& [type, count] : *part.event_counts.get())
    all.messages.push_back({"event", std::string{type->name}, count->load()});
  all.mailbox_depth["writer"] = part.to_append.depth();
  for (std::size_t i = 0; i < internal::wait_outcomes; ++i) {
    auto name = i == internal::wait_answered ? std::string{"answered"}
                                             : std::string{to_string(static_cast<failure_kind>(i))};
    all.waits_by_outcome[name] = part.counters.waits[i].load();
  }
  all.journal_position = part.journal ? part.journal->last_position() : 0;
  for (const auto& [name, projector] : *part.projectors.get()) {
    all.projection_position[name] = projector->checkpoint.load();
    all.projections.emplace(name, statistics_of(*projector, all.journal_position));
  }
  for (const auto& [name, durable] : *part.durables.get())
    all.durable_subscriptions.emplace(name, statistics_of(*durable, all.journal_position));
  if (part.talks) {
    all.pending_waits = part.talks->pending_waits();
    all.conversation_slots = part.talks->slots();
  }
  all.refused_overloaded = part.counters.refused_overloaded.load();
  all.snapshots_written = part.counters.snapshots_written.load();
  all.snapshots_used = part.counters.snapshots_used.load();
  all.late_answers = part.counters.late_answers.load();
  all.missed_by_subscribers = part.counters.missed_by_subscribers.load();
  all.handler_exceptions = part.counters.handler_exceptions.load();
  all.dropped_for_nodes = part.counters.dropped_for_nodes.load();
  if (part.others) {
    all.in_flight["forwarded"] = part.others->forwarded();
    all.in_flight["for other nodes"] = part.others->handling();
    all.in_flight["appends elsewhere"] = part.others->appending();
  }
  all.commit_batch_events = part.counters.commit_batch_events.snapshot();
  all.commit_duration_seconds = part.counters.commit_duration_seconds.snapshot();
  return all;
}

cluster_status node::cluster() const {
  const auto& part = runtime_->actors();
  return part.others ? cluster_status_of(part) : cluster_status{};
}

caf::actor_system& actor_system_of(node& at) {
  return *at.runtime()->actors().system;
}

subscription subscribe(node& at, const message_type& type, caf_receiver receiver) {
  auto live = std::make_shared<internal::live_subscriber>();
  live->native = std::move(receiver);
  return at.runtime()->actors().add_subscriber(type, std::move(live), at.runtime());
}

internal::bus_actor bus_actor_of(node& at, message_kind kind) {
  using internal::bus_kind;
  auto which = kind == message_kind::command                                   ? bus_kind::command
               : kind == message_kind::query || kind == message_kind::response ? bus_kind::query
                                                                               : bus_kind::event;
  return at.runtime()->actors().bus(which).front;
}

}  // namespace microlith
