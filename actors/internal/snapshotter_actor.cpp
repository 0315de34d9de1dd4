// Writes the states that shards want to keep, some at a time and away from the journal's commits.
//
// What it is given is durable. A snapshot is worth no more than the time that it saves: where it
// cannot be written, or the node ends before it is, the journal tells.

#include <microlith/actors/internal/actors_part.hpp>

#include <map>

namespace microlith::internal {

namespace {

/// Snapshots that come within this time are one transaction.
constexpr std::chrono::milliseconds collecting_time{250};
/// Past either, what has collected is written at once.
constexpr std::size_t max_collected = 1'024;
constexpr std::size_t max_collected_bytes = std::size_t{16} << 20;

struct snapshotter_state {
  runtime* node = nullptr;
  std::map<std::string, snapshot> collected;  // by stream: the newest
  std::size_t bytes = 0;
  bool armed = false;
  bool failing = false;
};

using snapshotter_self = snapshotter_actor::stateful_pointer<snapshotter_state>;

void write(snapshotter_state& state) {
  auto& node = state.node->actors();
  std::vector<snapshot> all;
  for (auto& [stream, kept] : std::exchange(state.collected, {}))
    all.push_back(std::move(kept));
  state.bytes = 0;
  if (all.empty() || !node.snapshots)
    return;
  auto written = node.snapshots->put(all);
  if (written)
    node.counters.snapshots_written.fetch_add(all.size(), std::memory_order_relaxed);
  else if (!state.failing)
    node.log(log_level::warning, to_string(written.error()));
  state.failing = !written;
}

snapshotter_actor::behavior_type snapshotter_behavior(snapshotter_self self, runtime* node) {
  self->state.node = node;
  return {
      [self](snapshot_message& message) {
        auto& state = self->state;
        state.bytes += message.kept.state.size();
        auto stream = message.kept.stream;
        state.collected.insert_or_assign(std::move(stream), std::move(message.kept));
        if (state.collected.size() >= max_collected || state.bytes >= max_collected_bytes)
          write(state);
        else if (!std::exchange(state.armed, true))
          self->delayed_send(self, collecting_time, commit_atom::value);
      },
      [self](commit_atom) {
        self->state.armed = false;
        write(self->state);
      },
      [self](stop_atom) {
        write(self->state);
        self->quit();
      },
  };
}

}  // namespace

snapshotter_actor spawn_snapshotter(runtime& node) {
  auto& part = node.actors();
  if (part.deterministic())
    return part.system->spawn(snapshotter_behavior, &node);
  return part.system->spawn<caf::detached>(snapshotter_behavior, &node);
}

result<void, failure> prepare_snapshots(runtime& of, const decider_definition& decider) {
  auto& node = of.actors();
  if (decider.options.snapshot_every == 0)
    return {};
  auto refuse = [](std::string text) {
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = std::move(text),
                   .message = {}};
  };
  if (!decider.snapshots)
    return refuse("the decider of " + decider.category + " in " + decider.component +
                  " asks for snapshots, and its state cannot be kept: describe it with "
                  "BOOST_DESCRIBE_STRUCT, with fields that a message can have and no secret, or "
                  "leave snapshot_every at 0");
  std::lock_guard lock{node.snapshots_mutex};
  // Journals in memory are for tests of what does not need a disk.
  if (node.snapshots || node.options.data.empty())
    return {};
  auto opened = snapshot_store::open(
      {.directory = node.options.data, .map_limit_bytes = node.options.journal_map_bytes},
      node.journal->epoch());
  if (!opened)
    return refuse(to_string(opened.error()));
  node.snapshots = std::move(*opened);
  node.unless_retired([&] { node.snapshotter = spawn_snapshotter(of); });
  return {};
}

}  // namespace microlith::internal
