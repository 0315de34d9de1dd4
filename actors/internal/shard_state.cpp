#include <microlith/actors/internal/shard_state.hpp>

namespace microlith::internal {

namespace {

// The state of a snapshot, where there is one; which event it ends with.
message_id begin_with_snapshot(shard_state& state, instance& of) {
  auto* all = state.snapshots();
  auto kept =
      all != nullptr ? all->find(of.stream, state.decider->snapshots->fingerprint) : std::nullopt;
  auto decoded =
      kept && !kept->event.empty() ? state.decider->snapshots->decode(kept->state) : nullptr;
  if (!decoded)
    return {};
  of.state = std::move(decoded);
  of.version = kept->version;
  return kept->event;
}

}  // namespace

std::unique_ptr<snapshot> take_snapshot(const shard_state& state, const instance& of,
                                        message_id last_event) {
  try {
    auto kept = std::make_unique<snapshot>();
    kept->stream = of.stream;
    kept->version = of.version;
    kept->event = last_event;
    kept->fingerprint = state.decider->snapshots->fingerprint;
    state.decider->snapshots->encode(of.state.get(), kept->state);
    return kept;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void keep(const shard_state& state, std::unique_ptr<snapshot> kept) {
  if (kept)
    caf::anon_send(state.node->actors().snapshotter, snapshot_message{std::move(*kept)});
}

std::optional<storage_error> load(shard_state& state, instance& of, bool may_use_snapshot) {
  auto& node = state.node->actors();
  const auto& decider = *state.decider;
  // Until it is the journal's: one that could not be read is read by the next command.
  of.loaded = false;
  of.state = decider.initial();
  of.version = 0;
  of.last_append = {};
  auto kept_event = may_use_snapshot ? begin_with_snapshot(state, of) : message_id{};
  auto kept_version = of.version;
  // The journal must have the event that the snapshot ends with, or it is of another history.
  auto unconfirmed_event = kept_event;
  message_id last_event;
  std::optional<storage_error> error;
  auto next = std::max<std::uint64_t>(of.version, 1);
  auto catalog = node.catalog.get();
  for (bool end = false; !end && !error;) {
    auto read = node.journal->read_stream(of.stream, next, {}, [&](const record_view& record) {
      if (!unconfirmed_event.empty()) {
        if (record.id != unconfirmed_event)
          return false;
        unconfirmed_event = {};
        return true;
      }
      last_event = record.id;
      auto event = to_envelope(record, *catalog);
      if (!event) {
        error =
            storage_error{storage_error_kind::damaged, to_string(event.error()), record.position};
        return false;
      }
      if (auto at = decider.evolve.find(&event->type()); at != decider.evolve.end())
        at->second(of.state.get(), event->body());
      of.version = record.stream_version;
      return true;
    });
    if (!read)
      return read.error();
    if (!unconfirmed_event.empty())
      return load(state, of, false);
    next = read->next;
    end = read->end;
  }
  if (!kept_event.empty())
    node.counters.snapshots_used.fetch_add(1, std::memory_order_relaxed);
  if (!error && state.snapshots() != nullptr &&
      of.version >= kept_version + decider.options.snapshot_every)
    keep(state, take_snapshot(state, of, last_event));
  of.loaded = !error;
  of.broken = false;
  return error;
}

void drop(shard_state& state, instances::iterator at) {
  state.by_stream.erase(hashed_name{at->stream, at->hash});
  state.all.erase(at);
}

instance& obtain(shard_state& state, std::string&& stream) {
  auto now = state.node->actors().coarse_now();
  hashed_name name{stream};
  if (auto at = state.by_stream.find(name); at != state.by_stream.end()) {
    state.all.splice(state.all.begin(), state.all, at->second);
    at->second->last_used = now;
    return *at->second;
  }
  auto max = std::max<std::size_t>(1, state.decider->options.max_states_per_shard);
  for (auto at = std::prev(state.all.end()); state.all.size() >= max && !state.all.empty();) {
    bool first = at == state.all.begin();
    auto before = first ? at : std::prev(at);
    if (at->idle())
      drop(state, at);
    if (first)
      break;
    at = before;
  }
  auto& added = state.all.emplace_front();
  added.stream = std::move(stream);
  added.hash = name.hash;
  added.last_used = now;
  state.by_stream.emplace(hashed_name{added.stream, name.hash}, state.all.begin());
  return added;
}

}  // namespace microlith::internal
