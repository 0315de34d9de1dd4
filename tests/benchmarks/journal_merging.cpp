// What merging the index costs the commits that run meanwhile, and where the index should be
// written: not at all, in an environment of its own by a thread of its own (in slices with pauses,
// as the journal does it, or each merge as one transaction), or in slices of 0.3 ms in the commits
// of the journal's own environment. Raw LMDB appends; a merge of 65,536 events begins each second,
// which is more than single commits would cause and about what batches do. The ways take turns.
//
//   benchmark_journal_merging DIRECTORY [SECONDS a figure, default 6] [EVENTS a commit]
//
// The directory's content is deleted, before and after.

#include "journal_samples.hpp"

#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/merged_index.hpp>

#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

namespace bench {

using namespace microlith::internal;

constexpr std::size_t merge_events = 65'536;
constexpr std::chrono::microseconds slice_time{300};
constexpr std::size_t entries_between_looks = 16;
constexpr std::chrono::seconds merge_period{1};
constexpr int rounds = 3;
// As in event_index.cpp.
constexpr int pause_by_slice = 10;
constexpr std::chrono::milliseconds longest_pause{25};

/// As many events as a merge takes, in random streams.
class event_source {
 public:
  recent_events next() {
    recent_events events{merge_events};
    for (std::size_t i = 0; i < merge_events; ++i) {
      recent_event event;
      auto number = random_() % 200'000;
      event.stream = {(number + 1) * 0x9E3779B97F4A7C15ULL, number};
      event.stream_version = ++versions_[number];
      event.position = ++position_;
      event.append = microlith::message_id::make();
      event.id = microlith::message_id::make();
      event.correlation = {event.append.high, event.append.low};
      events.add(event);
    }
    return events;
  }

 private:
  std::uint64_t position_ = 0;
  std::mt19937_64 random_{7};
  std::vector<std::uint64_t> versions_ = std::vector<std::uint64_t>(200'000);
};

/// The same entries, sorted, for the journal's own environment.
struct index_entry {
  std::uint32_t table = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::array<std::byte, 24> key{};
  std::array<std::byte, 16> value{};
};

std::vector<index_entry> entries_of(const recent_events& events, std::uint32_t run_table) {
  std::vector<index_entry> entries;
  auto add = [&](std::uint32_t table, std::span<const std::byte> key,
                 std::span<const std::byte> value) {
    auto& entry = entries.emplace_back();
    entry.table = table;
    entry.key_bytes = static_cast<std::uint32_t>(key.size());
    entry.value_bytes = static_cast<std::uint32_t>(value.size());
    std::copy(key.begin(), key.end(), entry.key.begin());
    std::copy(value.begin(), value.end(), entry.value.begin());
  };
  for (const auto& event : events.all()) {
    std::array<std::byte, 16> positions;
    store_le(positions.data(), event.position);
    store_le(positions.data() + 8, event.position);
    auto one = std::span{positions}.first(8);
    add(run_table, key_of(event.stream, event.stream_version), one);
    add(0, id_key(event.id), one);
    add(1, id_key(event.append), positions);
    std::array<std::byte, correlation_key_bytes> conversation;
    store_id_be(conversation.data(), event.correlation);
    store_be(conversation.data() + id_bytes, event.position);
    add(2, conversation, {});
  }
  std::sort(entries.begin(), entries.end(), [](const index_entry& a, const index_entry& b) {
    return a.table != b.table ? a.table < b.table
                              : std::memcmp(a.key.data(), b.key.data(), a.key.size()) < 0;
  });
  return entries;
}

class bare_journal {
 public:
  explicit bare_journal(const std::filesystem::path& directory)
      : environment_{directory, {.map_bytes = std::size_t{64} << 30, .max_tables = 128}} {
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    records_ = t.open_table("records", MDB_CREATE);
    for (std::size_t i = 0; i < tables_.size(); ++i)
      tables_[i] = t.open_table(("index." + std::to_string(i)).c_str(), MDB_CREATE);
    t.commit();
  }

  /// One commit; `more` may write to the same transaction before it.
  template <class F>
  double append(std::size_t batch, F more) {
    auto start = steady::now();
    lmdb_transaction t{environment_, lmdb_transaction::access::write};
    for (std::size_t i = 0; i < batch; ++i) {
      std::array<std::byte, 8> key;
      store_be(key.data(), ++position_);
      t.put(records_, key, record_, MDB_APPEND);
    }
    more(t);
    t.commit();
    return seconds_since(start);
  }

  void put(lmdb_transaction& t, const index_entry& entry) {
    t.put(tables_[entry.table], std::span{entry.key}.first(entry.key_bytes),
          std::span{entry.value}.first(entry.value_bytes));
  }
  [[nodiscard]] std::uint32_t table_count() const {
    return static_cast<std::uint32_t>(tables_.size());
  }

 private:
  environment environment_;
  MDB_dbi records_ = 0;
  std::array<MDB_dbi, 64> tables_{};
  std::uint64_t position_ = 0;
  std::vector<std::byte> record_ = std::vector<std::byte>(record_bytes);
};

enum class way { no_index, own_slices, own_small_slices, own_whole, journal_slices };

const char* text(way w) {
  switch (w) {
    case way::no_index:
      return "no index";
    case way::own_slices:
      return "own environment, slices of 4 MiB (ours)";
    case way::own_small_slices:
      return "own environment, slices of 256 KiB";
    case way::own_whole:
      return "own environment, one transaction a merge";
    case way::journal_slices:
      return "journal's environment, slices of 0.3 ms";
  }
  return "";
}

/// Merges on a thread of its own.
class merging {
 public:
  merging(const std::filesystem::path& directory, std::size_t slice_bytes)
      : index_{directory,
               {1, 2},
               {.reserve_bytes = std::size_t{64} << 30},
               true,
               {.bytes = slice_bytes,
                .pause =
                    [](std::chrono::nanoseconds took) {
                      std::this_thread::sleep_for(
                          std::min<std::chrono::nanoseconds>(pause_by_slice * took, longest_pause));
                    }}},
        thread_{[this] { run(); }} {}
  ~merging() {
    done_ = true;
    thread_.join();
  }
  [[nodiscard]] std::size_t merged() const { return merged_; }

 private:
  void run() {
    auto due = steady::now();
    while (!done_) {
      auto events = source_.next();
      while (index_.crowded())
        (void)index_.compact();
      index_.merge(events);
      merged_ += events.size();
      due += merge_period;
      while (!done_ && steady::now() < due) {
        auto began = steady::now();
        bool more = index_.compact();
        std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(
            more ? pause_by_slice * (steady::now() - began) : longest_pause, longest_pause));
      }
    }
  }

  merged_index index_;
  event_source source_;
  std::atomic<bool> done_{false};
  std::atomic<std::size_t> merged_{0};
  std::thread thread_;
};

struct figures {
  std::vector<double> times;
  std::size_t merged = 0;
};

void measure(const std::filesystem::path& directory, way w, std::size_t batch, double seconds,
             figures& out) {
  std::filesystem::remove_all(directory);
  bare_journal journal{directory / "journal"};
  auto& times = out.times;
  auto run = [&](auto more) {
    auto start = steady::now();
    while (seconds_since(start) < seconds)
      times.push_back(journal.append(batch, more));
  };
  if (w == way::no_index) {
    run([](lmdb_transaction&) {});
  } else if (w == way::journal_slices) {
    event_source source;
    std::uint32_t runs = 0;
    std::vector<index_entry> entries;
    std::size_t next = 0;
    auto refill = [&] {
      entries = entries_of(source.next(), 3 + runs++ % (journal.table_count() - 3));
      next = 0;
    };
    auto start = steady::now();
    auto due = start;
    while (seconds_since(start) < seconds) {
      if (next == entries.size() && steady::now() >= due) {
        refill();
        due += merge_period;
      }
      times.push_back(journal.append(batch, [&](lmdb_transaction& t) {
        auto until = steady::now() + slice_time;
        for (; next < entries.size(); ++next) {
          if (next % entries_between_looks == 0 && steady::now() >= until)
            break;
          journal.put(t, entries[next]);
        }
      }));
    }
    out.merged += runs == 0 ? 0 : (runs - 1) * merge_events + next / 4;
  } else {
    auto slice = w == way::own_slices         ? merged_index::default_slice_bytes
                 : w == way::own_small_slices ? merged_index::default_slice_bytes / 16
                                              : std::numeric_limits<std::size_t>::max();
    merging merger{directory / "index", slice};
    run([](lmdb_transaction&) {});
    out.merged += merger.merged();
  }
}

void print(way w, std::size_t batch, double seconds, figures& out) {
  auto& times = out.times;
  double sum = 0;
  for (double t : times)
    sum += t;
  std::sort(times.begin(), times.end());
  auto p50 = at_share_us(times, 0.5);
  std::printf("| %zu | %s | %.0f µs | %.0f µs | %.0f µs | %.1f | %.0f/s | %.0f/s |\n", batch,
              text(w), p50, at_share_us(times, 0.99), at_share_us(times, 0.999),
              at_share_us(times, 0.999) / p50, static_cast<double>(times.size() * batch) / sum,
              static_cast<double>(out.merged) / seconds);
  std::fflush(stdout);
}

}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [SECONDS]\n", argv[0]);
    return 2;
  }
  double seconds = argc > 2 ? std::atof(argv[2]) : 6;
  std::vector<std::size_t> batches{1, 100, 1000};
  if (argc > 3)
    batches = {std::strtoull(argv[3], nullptr, 10)};
  std::printf(
      "| events a commit | index | p50 | p99 | p99.9 | p99.9 by p50 | appended | indexed "
      "|\n|---|---|---|---|---|---|---|---|\n");
  constexpr std::array ways{bench::way::no_index, bench::way::own_slices,
                            bench::way::own_small_slices, bench::way::own_whole,
                            bench::way::journal_slices};
  for (auto batch : batches) {
    std::array<bench::figures, ways.size()> figures;
    for (int round = 0; round < bench::rounds; ++round) {
      for (std::size_t i = 0; i < ways.size(); ++i)
        bench::measure(argv[1], ways[i], batch, seconds / bench::rounds, figures[i]);
    }
    for (std::size_t i = 0; i < ways.size(); ++i)
      bench::print(ways[i], batch, seconds, figures[i]);
  }
  std::filesystem::remove_all(argv[1]);
}
