#include <microlith/actors/internal/cluster/cluster_start.hpp>
#include <microlith/actors/internal/node_assembly.hpp>

#include <algorithm>
#include <thread>

namespace microlith::internal {

std::shared_ptr<runtime> node_assembly::make(node_options options) {
  auto made = std::make_shared<runtime>();
  made->actors_ = std::make_unique<runtime::actors_part>(std::move(options));
  return made;
}

void node_assembly::start_actors(runtime& of) {
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
  recall_event recall;
  if (!part.others || part.others->has_journal())
    recall = [&part](std::uint64_t position, std::span<const message_type* const> types) {
      return part.recall(position, types);
    };
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
      },
      std::move(recall));
  part.writer = spawn_writer(of);
  part.workshop = spawn_workshop(of);
  for (auto& bus : part.buses) {
    bus.actor = spawn_bus(of, bus.kind);
    bus.front = spawn_bus_front(of, bus.kind);
  }
}

void node_assembly::join_cluster(runtime& of, cluster_setup setup, hosted_components& hosted) {
  auto& part = *of.actors_;
  part.others = std::make_shared<cluster>(of, std::move(setup), hosted);
}

void node_assembly::drain(runtime::actors_part& part) {
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

void node_assembly::flush(runtime::actors_part& part) {
  if (part.deterministic()) {
    part.test_scheduler().run();
    return;
  }
  caf::scoped_actor self{*part.system};
  self->request(part.writer, caf::infinite, flush_atom::value)
      .receive([](bool) {}, [](const caf::error&) {});
}

void node_assembly::quit(runtime::actors_part& part) {
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

void node_assembly::stop(runtime& of) {
  auto& part = *of.actors_;
  if (part.closed.exchange(true))
    return;
  for (const auto& [name, durable] : *part.durables.get())
    caf::anon_send(durable->actor, pause_atom::value);
  drain(part);
  flush(part);
  part.refusals.close();
  part.talks->stop();
  part.close_callbacks();
  part.close_pool();
  if (part.others)
    part.others->stop();
  quit(part);
  if (part.steps)
    part.others->wiring()->leave(*part.steps);
}

void node_assembly::close(runtime& of) {
  auto& part = *of.actors_;
  part.projectors.update([](projector_table& table) { table.clear(); });
  part.durables.update([](durable_table& table) { table.clear(); });
  part.snapshots.reset();
  if (part.others)
    part.others->close_stores();
  part.journal.reset();
}

}  // namespace microlith::internal
