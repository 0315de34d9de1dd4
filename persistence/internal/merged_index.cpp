#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/merged_index.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace microlith::internal {

namespace {

// Far enough that memory has come by then.
constexpr std::size_t filter_ahead = 8;
// Key, value and LMDB's own of an entry of a run.
constexpr std::size_t entry_bytes = run_key_bytes + 8 + 10;

// An event's number beside the first 64 bits of a key: most comparisons end there, without a look
// at the event.
struct numbered {
  std::uint64_t key_high = 0;
  std::uint32_t number = 0;
};

/// The events that are `wanted`, by the first 64 bits of a key (`high`), and then as `less` says.
template <class Wanted, class High, class Less>
std::vector<numbered> sorted(const recent_events& events, Wanted wanted, High high, Less less) {
  const auto& all = events.all();
  std::vector<numbered> order(all.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (wanted(i))
      order[count++] = {high(all[i]), static_cast<std::uint32_t>(i)};
  }
  order.resize(count);
  auto before = [&](const numbered& a, const numbered& b) {
    return a.key_high != b.key_high ? a.key_high < b.key_high : less(all[a.number], all[b.number]);
  };
  // What grows with time mostly is in order.
  if (!std::is_sorted(order.begin(), order.end(), before))
    std::sort(order.begin(), order.end(), before);
  return order;
}

void sort_by_age(std::vector<index_run>& runs) {
  std::sort(runs.begin(), runs.end(), [](const index_run& a, const index_run& b) {
    return a.level != b.level ? a.level > b.level : a.sequence < b.sequence;
  });
}

}  // namespace

merged_index::merged_index(const std::filesystem::path& directory, message_id epoch, map_size map,
                           bool sync, slicing slices)
    : environment_{directory,
                   {.map_bytes = map.reserve_bytes,
                    .map_limit_bytes = map.limit_bytes,
                    .max_tables = levels * slots_per_level + 5,
                    .sync = sync,
                    .sync_meta = false}},
      epoch_{epoch},
      slices_{std::move(slices)} {
  growing(environment_, [&] { create_or_load(epoch); });
}

void merged_index::create_or_load(message_id epoch) {
  lmdb_transaction t{environment_, lmdb_transaction::access::write};
  state_table_ = t.open_table("state", MDB_CREATE);
  ids_table_ = t.open_table("ids", MDB_CREATE);
  appends_table_ = t.open_table("appends", MDB_CREATE);
  correlations_table_ = t.open_table("correlations", MDB_CREATE);
  filter_table_ = t.open_table("filter", MDB_CREATE);
  for (std::uint32_t level = 0; level < levels; ++level) {
    for (std::uint32_t slot = 0; slot < slots_per_level; ++slot) {
      auto name = "run." + std::to_string(level) + "." + std::to_string(slot);
      runs_tables_[level][slot] = t.open_table(name.c_str(), MDB_CREATE);
    }
  }
  if (auto stored = t.find(state_table_, index_state_key)) {
    auto state = decode_state(*stored);
    if (state.epoch != epoch)
      throw index_unusable{"the index belongs to another journal"};
    checkpoint_ = state.checkpoint;
    reach_ = state.reach;
    next_sequence_ = state.next_sequence;
    runs_ = state.runs;
    load_filter(t, state.filter_layers, state.filter_added);
    load_newest_id(t);
  } else {
    write_state(t, 0, 0, {});
  }
  t.commit();
}

void merged_index::load_filter(lmdb_transaction& t, std::uint64_t layers, std::uint64_t added) {
  filter_.add_layers(layers);
  filter_.set_added(added);
  lmdb_cursor cursor{t, filter_table_};
  for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT)) {
    auto key = cursor.key();
    if (key.size() != 8 || !filter_.load_page({load_be<std::uint32_t>(key.data()),
                                               load_be<std::uint32_t>(key.data() + 4)},
                                              cursor.value()))
      throw index_unusable{"the filter of the index has pages that cannot be"};
  }
}

void merged_index::load_newest_id(lmdb_transaction& t) {
  std::uint64_t newest = 0;
  for (auto table : {ids_table_, appends_table_}) {
    lmdb_cursor cursor{t, table};
    if (cursor.move(MDB_LAST) && cursor.key().size() == id_bytes)
      newest = std::max(newest, load_be<std::uint64_t>(cursor.key().data()));
  }
  newest_id_high_.store(newest, std::memory_order_release);
}

bool merged_index::may_hold(message_id id) const {
  return id.high <= newest_id_high_.load(std::memory_order_acquire);
}

void merged_index::write_state(lmdb_transaction& t, std::uint64_t checkpoint, std::uint64_t reach,
                               const std::vector<index_run>& runs) {
  auto value = encode_state({.filter_layers = static_cast<std::uint32_t>(filter_.layer_count()),
                             .epoch = epoch_,
                             .checkpoint = checkpoint,
                             .reach = reach,
                             .next_sequence = next_sequence_,
                             .filter_added = filter_.added(),
                             .runs = runs});
  t.put(state_table_, index_state_key, value);
}

std::optional<std::uint32_t> merged_index::free_slot(std::uint32_t level) const {
  for (std::uint32_t slot = 0; slot < slots_per_level; ++slot) {
    auto taken = [&](const index_run& run) { return run.level == level && run.slot == slot; };
    bool is_target = std::any_of(compactions_.begin(), compactions_.end(),
                                 [&](const auto& job) { return job && taken(job->target); });
    if (!is_target && std::none_of(runs_.begin(), runs_.end(), taken))
      return slot;
  }
  return std::nullopt;
}

bool merged_index::crowded() const {
  return !free_slot(0);
}

void merged_index::merge(const recent_events& events) {
  if (!events.empty())
    growing(environment_, [&] { merge_once(events); });
}

void merged_index::merge_once(const recent_events& events) {
  auto slot = free_slot(0);
  if (!slot)
    throw index_unusable{"no slot of the index is free"};
  index_run run{0, *slot, next_sequence_};
  auto last = events.all().back().position;
  // Keys that the filter holds too many do no harm, so failing needs no undoing here.
  auto newest = newest_id_high_.load(std::memory_order_relaxed);
  const auto& all = events.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& event = all[i];
    if (i + filter_ahead < all.size())
      filter_.prefetch_to_add(all[i + filter_ahead].stream);
    if (event.stream_version == 1)
      filter_.add(event.stream);
    newest = std::max({newest, event.id.high, event.append.high});
  }
  begin_merge(run, last);
  slice_writer out{environment_, slices_};
  write_run(out, events, run);
  write_ids(out, events);
  write_correlations(out, events);
  write_appends(out, events);
  write_filter(out);
  auto runs = runs_;
  runs.push_back(run);
  sort_by_age(runs);
  ++next_sequence_;
  write_state(out.transaction(), last, last, runs);
  out.commit();
  filter_.all_written();
  newest_id_high_.store(newest, std::memory_order_release);
  runs_ = std::move(runs);
  checkpoint_ = last;
}

void merged_index::begin_merge(const index_run& run, std::uint64_t reach) {
  lmdb_transaction t{environment_, lmdb_transaction::access::write};
  // What a merge that failed has left.
  t.empty(table_of(run));
  write_state(t, checkpoint_, reach, runs_);
  t.commit();
  reach_ = reach;
}

void merged_index::write_run(slice_writer& out, const recent_events& events, const index_run& run) {
  const auto& all = events.all();
  auto order = sorted(
      events, [&](std::size_t i) { return !all[i].stream.empty(); },
      [](const recent_event& e) { return e.stream.high; },
      [](const recent_event& a, const recent_event& b) {
        return a.stream != b.stream ? a.stream < b.stream : a.stream_version < b.stream_version;
      });
  out.open(table_of(run));
  auto filter = std::make_shared<stream_filter>();
  stream_key last;
  std::array<std::byte, 8> position;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i + filter_ahead < order.size())
      __builtin_prefetch(&all[order[i + filter_ahead].number]);
    const auto& event = all[order[i].number];
    if (event.stream != last)
      filter->add(last = event.stream);
    store_le(position.data(), event.position);
    out.put(key_of(event.stream, event.stream_version), position);
  }
  run_filters_.put(run, std::move(filter));
}

void merged_index::write_ids(slice_writer& out, const recent_events& events) const {
  auto order = sorted(
      events, [](std::size_t) { return true; }, [](const recent_event& e) { return e.id.high; },
      [](const recent_event& a, const recent_event& b) { return a.id < b.id; });
  out.open(ids_table_);
  std::array<std::byte, 8> position;
  for (const auto& [high, number] : order) {
    store_le(position.data(), events[number].position);
    out.put(id_key(events[number].id), position);
  }
}

void merged_index::write_correlations(slice_writer& out, const recent_events& events) const {
  // Each conversation in order: readers may see the first part of it while the rest is in memory.
  auto order = sorted(
      events, [](std::size_t) { return true; },
      [](const recent_event& e) { return e.correlation.high; },
      [](const recent_event& a, const recent_event& b) {
        return a.correlation != b.correlation ? a.correlation < b.correlation
                                              : a.position < b.position;
      });
  out.open(correlations_table_);
  std::array<std::byte, correlation_key_bytes> key;
  for (const auto& [high, number] : order) {
    store_id_be(key.data(), events[number].correlation);
    store_be(key.data() + id_bytes, events[number].position);
    out.put(key, {});
  }
}

void merged_index::write_appends(slice_writer& out, const recent_events& events) const {
  const auto& all = events.all();
  auto order = sorted(
      events,
      [&](std::size_t i) {
        return !all[i].append.empty() && (i == 0 || all[i - 1].append != all[i].append);
      },
      [](const recent_event& e) { return e.append.high; },
      [](const recent_event& a, const recent_event& b) { return a.append < b.append; });
  out.open(appends_table_);
  std::array<std::byte, 16> positions;
  for (const auto& [high, number] : order) {
    store_le(positions.data(), all[number].position);
    store_le(positions.data() + 8, events.last_of_append(all[number]).position);
    out.put(id_key(all[number].append), positions);
  }
}

void merged_index::write_filter(slice_writer& out) const {
  std::array<std::byte, 8> key;
  bytes page(stream_filter::page_bytes);
  out.open(filter_table_);
  for (auto id : filter_.changed()) {
    store_be(key.data(), id.layer);
    store_be(key.data() + 4, id.page);
    filter_.copy_page(id, page);
    out.put(key, page);
  }
}

std::optional<merged_index::compaction> merged_index::next_compaction() const {
  for (std::uint32_t level = 0; level < levels; ++level) {
    if (compactions_[level])
      continue;
    compaction job;
    job.level = level;
    for (const auto& run : runs_) {
      if (run.level == level && job.sources.size() < runs_per_merge)
        job.sources.push_back(run);
    }
    auto target_level = std::min(level + 1, levels - 1);
    auto slot = free_slot(target_level);
    if (job.sources.size() < runs_per_merge || !slot)
      continue;
    // In the last level the result takes the place, and so the age, of what it is made of.
    auto sequence = target_level == level ? job.sources.front().sequence : next_sequence_;
    job.target = {target_level, *slot, sequence};
    if (target_level < run_filters::filtered_levels)
      job.filter = std::make_shared<stream_filter>();
    return job;
  }
  return std::nullopt;
}

bool merged_index::compact() {
  return growing(environment_, [&] { return compact_once(); });
}

bool merged_index::compact_once() {
  while (auto fresh = next_compaction()) {
    if (fresh->target.sequence == next_sequence_)
      ++next_sequence_;
    compactions_[fresh->level] = std::move(fresh);
  }
  auto active = std::find_if(compactions_.begin(), compactions_.end(),
                             [](const auto& job) { return job.has_value(); });
  if (active == compactions_.end())
    return false;
  auto job = **active;

  lmdb_transaction t{environment_, lmdb_transaction::access::write};
  bool done = false;
  // What a compaction had written when the process ended.
  if (!job.started)
    t.empty(table_of(job.target));
  {
    std::vector<lmdb_cursor> sources;
    for (const auto& run : job.sources) {
      lmdb_cursor cursor{t, table_of(run)};
      bool more = job.started ? cursor.seek(job.last_key) : cursor.move(MDB_FIRST);
      if (more && job.started && std::ranges::equal(cursor.key(), job.last_key))
        more = cursor.move(MDB_NEXT);
      if (more)
        sources.push_back(std::move(cursor));
    }
    lmdb_cursor target{t, table_of(job.target)};
    std::size_t written = 0;
    for (; written < slices_.bytes && !sources.empty(); written += entry_bytes) {
      auto least =
          std::min_element(sources.begin(), sources.end(), [](const auto& a, const auto& b) {
            return std::memcmp(a.key().data(), b.key().data(), run_key_bytes) < 0;
          });
      if (job.filter && (!std::equal(job.last_key.begin(), job.last_key.begin() + id_bytes,
                                     least->key().begin()) ||
                         !(job.started || written > 0)))
        job.filter->add(load_id_be<stream_key>(least->key().data()));
      std::copy_n(least->key().begin(), run_key_bytes, job.last_key.begin());
      target.put(job.last_key, least->value(), MDB_APPEND);
      if (!least->move(MDB_NEXT)) {
        std::vector<lmdb_cursor> rest;
        for (auto& source : sources) {
          if (&source != &*least)
            rest.push_back(std::move(source));
        }
        sources.swap(rest);
      }
    }
    job.started = job.started || written > 0;
    done = sources.empty();
  }
  auto runs = runs_;
  if (done) {
    for (const auto& source : job.sources) {
      // The cursors have been everywhere.
      environment_.trust(table_of(source));
      t.empty(table_of(source));
      std::erase(runs, source);
    }
    runs.push_back(job.target);
    sort_by_age(runs);
    write_state(t, checkpoint_, reach_, runs);
  }
  if (done && job.filter)
    run_filters_.put(job.target, job.filter);
  t.commit();
  runs_ = std::move(runs);
  if (done) {
    for (const auto& source : job.sources)
      run_filters_.erase(source);
    active->reset();
  } else {
    *active = std::move(job);
  }
  return true;
}

}  // namespace microlith::internal
