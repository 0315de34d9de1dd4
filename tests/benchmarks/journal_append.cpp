// The journal beside LMDB with nothing on top, in alternating rounds of one run: appending 1,000
// records of 200 bytes a commit with every index on, scanning, folding into memory and into rows,
// loading a stream.
//
//   benchmark_journal_append DIRECTORY [SECONDS a figure, default 4] [--grow EVENTS]
//
// The directory's content is deleted. `--grow` appends so many events first, so that what follows
// is measured on a journal of that age.

#include <microlith/messages/describe.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <lmdb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bench {

using steady = std::chrono::steady_clock;

struct item_added_event {
  using message = microlith::event<"bench.item_added_event">;
  std::uint64_t item = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(item_added_event, (), (item, text))

struct item_row {
  std::uint64_t times = 0;
  std::uint64_t last = 0;
};
BOOST_DESCRIBE_STRUCT(item_row, (), (times, last))

constexpr microlith::table<std::uint64_t, item_row> items{"items"};
constexpr std::size_t record_bytes = 200;
constexpr std::size_t batch_events = 1000;

[[noreturn]] void fail(std::string_view what, const std::string& why) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(), why.c_str());
  std::exit(1);
}

void check(int code, const char* what) {
  if (code != 0)
    fail(what, mdb_strerror(code));
}

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

std::size_t memory_bytes() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:"))
      return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  }
  return 0;
}

/// LMDB alone.
class raw_journal {
 public:
  explicit raw_journal(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    check(mdb_env_create(&env_), "create");
    check(mdb_env_set_mapsize(env_, std::size_t{64} << 30), "mapsize");
    check(mdb_env_set_maxdbs(env_, 4), "maxdbs");
    check(mdb_env_open(env_, directory.c_str(), MDB_NOTLS, 0600), "open");
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "events", MDB_CREATE | MDB_INTEGERKEY, &events_), "table");
    check(mdb_txn_commit(txn), "commit");
  }
  ~raw_journal() { mdb_env_close(env_); }

  double append() {
    auto start = steady::now();
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
    for (std::size_t i = 0; i < batch_events; ++i) {
      ++position_;
      MDB_val key{sizeof position_, &position_};
      MDB_val value{record_.size(), record_.data()};
      check(mdb_put(txn, events_, &key, &value, MDB_APPEND), "put");
    }
    check(mdb_txn_commit(txn), "commit");
    return seconds_since(start);
  }

  /// Events a second.
  double scan() {
    auto start = steady::now();
    std::uint64_t sum = 0;
    MDB_txn* txn = nullptr;
    MDB_cursor* cursor = nullptr;
    MDB_val key{};
    MDB_val value{};
    check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn), "begin");
    check(mdb_cursor_open(txn, events_, &cursor), "cursor");
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
      sum += *static_cast<unsigned char*>(value.mv_data) + value.mv_size;
    auto took = seconds_since(start);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (sum == 0)
      fail("scan", "nothing there");
    return static_cast<double>(position_) / took;
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi events_ = 0;
  std::uint64_t position_ = 0;
  std::string record_ = std::string(record_bytes, 'x');
};

/// How a batch is cut into appends and streams.
enum class shape { one_append, append_each_of_10000_streams, append_each_new_stream };

const char* text(shape s) {
  switch (s) {
    case shape::one_append:
      return "one append of 1,000 events, one stream";
    case shape::append_each_of_10000_streams:
      return "1,000 appends, 10,000 streams";
    case shape::append_each_new_stream:
      return "1,000 appends, each a new stream";
  }
  return "";
}

std::string stream_name(std::uint64_t number) {
  char name[24];
  std::snprintf(name, sizeof name, "bench/%010llu", static_cast<unsigned long long>(number));
  return name;
}

std::vector<microlith::append_request> make_batch(shape s, std::uint64_t& counter) {
  using namespace microlith;
  // 64 fixed, 8 stream version, 16 causation, the stream's name, 8 + 4 of the body's own fields.
  static const std::string filler(record_bytes - 64 - 8 - 16 - stream_name(0).size() - 12, 'x');
  std::vector<append_request> batch(s == shape::one_append ? 1 : batch_events);
  for (std::size_t i = 0; i < batch_events; ++i) {
    auto& request = batch[s == shape::one_append ? 0 : i];
    if (request.id.empty())
      request.id = message_id::make();
    auto number = ++counter;
    auto stream = s == shape::append_each_new_stream         ? stream_name(number)
                  : s == shape::append_each_of_10000_streams ? stream_name(number * 7919 % 10'000)
                                                             : stream_name(0);
    if (s == shape::append_each_new_stream)
      request.checks.push_back({stream, expected_version::no_stream()});
    envelope_head head{.id = message_id::make(),
                       .correlation = {request.id.high, request.id.low},
                       .causation = request.id,
                       .root = request.id,
                       .facts = {}};
    request.events.push_back(
        {envelope{std::move(head), item_added_event{number % 100'000, filler}}, std::move(stream)});
  }
  return batch;
}

double append(microlith::journal& to, std::vector<microlith::append_request> batch) {
  auto start = steady::now();
  auto outcomes = to.append(batch);
  auto took = seconds_since(start);
  for (const auto& outcome : outcomes) {
    if (!std::holds_alternative<microlith::appended>(outcome))
      fail("append", "refused");
  }
  return took;
}

std::unique_ptr<microlith::journal> open(const std::filesystem::path& directory) {
  auto opened = microlith::journal::open({.directory = directory});
  if (!opened)
    fail("open", opened.error().text);
  return std::move(*opened);
}

void compare_appends(const std::filesystem::path& directory, shape s, double seconds,
                     std::uint64_t grow) {
  std::filesystem::remove_all(directory);
  raw_journal raw{directory / "raw"};
  auto ours = open(directory / "ours");
  std::uint64_t counter = 0;
  while (counter < grow)
    (void)append(*ours, make_batch(s, counter));
  std::vector<double> raw_s;
  std::vector<double> ours_s;
  auto start = steady::now();
  while (seconds_since(start) < seconds) {
    auto batch = make_batch(s, counter);
    raw_s.push_back(raw.append());
    ours_s.push_back(append(*ours, std::move(batch)));
  }
  auto rate = [](std::vector<double>& times) {
    double sum = 0;
    for (double t : times)
      sum += t;
    return static_cast<double>(times.size() * batch_events) / sum;
  };
  auto raw_rate = rate(raw_s);
  auto ours_rate = rate(ours_s);
  std::sort(raw_s.begin(), raw_s.end());
  std::sort(ours_s.begin(), ours_s.end());
  std::printf(
      "append: %-40s raw %9.0f/s  journal %9.0f/s  ratio %.2f  (medians %.0f and %.0f us, "
      "%.2f; p99.9 %.0f us)\n",
      text(s), raw_rate, ours_rate, ours_rate / raw_rate, raw_s[raw_s.size() / 2] * 1e6,
      ours_s[ours_s.size() / 2] * 1e6, raw_s[raw_s.size() / 2] / ours_s[ours_s.size() / 2],
      ours_s[ours_s.size() * 999 / 1000] * 1e6);
  std::fflush(stdout);
}

/// Events a second.
template <class Visit>
double scan(const microlith::journal& from, Visit visit) {
  auto start = steady::now();
  std::uint64_t next = 1;
  while (next <= from.last_position()) {
    auto page = from.read(next, {.events = 1'000'000, .bytes = std::uint64_t{1} << 30}, visit);
    if (!page)
      fail("read", page.error().text);
    next = page->next;
  }
  return static_cast<double>(from.last_position()) / seconds_since(start);
}

void compare_reads(const std::filesystem::path& directory, std::uint64_t events) {
  using namespace microlith;
  std::filesystem::remove_all(directory);
  raw_journal raw{directory / "raw"};
  auto ours = open(directory / "ours");
  std::uint64_t counter = 0;
  while (counter < events) {
    (void)append(*ours, make_batch(shape::append_each_of_10000_streams, counter));
    (void)raw.append();
  }
  double raw_scan = 0;
  double our_scan = 0;
  for (int round = 0; round < 3; ++round) {
    raw_scan = std::max(raw_scan, raw.scan());
    std::uint64_t sum = 0;
    our_scan = std::max(our_scan, scan(*ours, [&](const record_view& r) {
                          sum += std::to_integer<unsigned>(r.body.front()) + r.body.size();
                        }));
  }
  std::printf(
      "scan: %llu events: raw %.1f M/s  journal %.1f M/s  ratio %.2f (bytes a record are the "
      "same)\n",
      static_cast<unsigned long long>(events), raw_scan / 1e6, our_scan / 1e6, our_scan / raw_scan);

  std::unordered_map<std::uint64_t, item_row> folded;
  auto fold = scan(*ours, [&](const record_view& r) {
    auto event = decode_version<item_added_event>(r.type->version, r.body);
    if (!event)
      fail("decode", event.error().reason);
    auto& row = folded[event->item];
    ++row.times;
    row.last = r.position;
  });
  std::printf("fold into memory: %.2f M/s\n", fold / 1e6);

  projection p{"bench", 1};
  p.keeps(items);
  p.on<item_added_event>(
      [](const item_added_event& e, const event_info& info, write_transaction& t) {
        auto row = items.get(t, e.item).value_or(item_row{});
        items.put(t, e.item, {row.times + 1, info.position});
      });
  auto store = projection_store::open(p, {.directory = directory / "ours"}, *ours);
  if (!store)
    fail("projection", store.error().text);
  auto start = steady::now();
  for (bool more = true; more;) {
    auto progress = (*store)->catch_up(*ours, 50'000);
    if (!progress)
      fail("catch up", progress.error().text);
    more = progress->more;
  }
  std::printf("fold into rows: %.2f M/s\n",
              static_cast<double>(events) / seconds_since(start) / 1e6);

  std::vector<double> loads;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    auto began = steady::now();
    std::uint64_t seen = 0;
    auto page = ours->read_stream(stream_name(i * 31 % 10'000), 1, {.events = 100},
                                  [&](const record_view&) { ++seen; });
    loads.push_back(seconds_since(began));
    if (!page || seen == 0)
      fail("load a stream", page ? "nothing there" : page.error().text);
  }
  std::sort(loads.begin(), loads.end());
  std::printf("load a stream (up to 100 events): p50 %.0f us  p99 %.0f us\n", loads[1000] * 1e6,
              loads[1980] * 1e6);
  store->reset();
  ours.reset();
  start = steady::now();
  ours = open(directory / "ours");
  std::printf("open with %llu events: %.0f ms; anonymous memory %.0f MB\n",
              static_cast<unsigned long long>(ours->last_position()), seconds_since(start) * 1e3,
              static_cast<double>(memory_bytes()) / 1e6);
}

}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [SECONDS] [--grow EVENTS]\n", argv[0]);
    return 2;
  }
  double seconds = argc > 2 ? std::atof(argv[2]) : 4;
  std::uint64_t grow = 0;
  if (argc > 4 && std::string_view{argv[3]} == "--grow")
    grow = std::strtoull(argv[4], nullptr, 10);
  std::filesystem::path directory = argv[1];
  for (auto s : {bench::shape::one_append, bench::shape::append_each_of_10000_streams,
                 bench::shape::append_each_new_stream})
    bench::compare_appends(directory, s, seconds, grow);
  bench::compare_reads(directory, std::max<std::uint64_t>(grow, 1'000'000));
  std::filesystem::remove_all(directory);
}
