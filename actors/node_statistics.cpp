#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/node_statistics.hpp>
#include <microlith/actors/node.hpp>

#include <algorithm>

namespace microlith {

namespace internal {

durable_statistics statistics_of(const durable_part& durable, std::uint64_t journal_position) {
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

projection_statistics statistics_of(const projector_part& projector,
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

cluster_status cluster_status_of(const runtime::actors_part& part) {
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

}  // namespace internal

using internal::statistics_of;

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
  for (std::size_t i = 0; i < internal::failure_kinds; ++i)
    all.refused[std::string{to_string(static_cast<failure_kind>(i))}] =
        part.counters.refused[i].load();
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
  return part.others ? internal::cluster_status_of(part) : cluster_status{};
}

}  // namespace microlith
