// The journal beside LMDB with nothing on top, in alternating rounds of one run: appending 1,000
// records of 200 bytes a commit with every index on, scanning, folding into memory and into rows,
// loading a stream.
//
//   benchmark_journal_append DIRECTORY [SECONDS a figure, default 4] [--grow EVENTS]
//
// The directory's content is deleted. `--grow` appends so many events first, so that what follows
// is measured on a journal of that age.

#include "journal_samples.hpp"

#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <unordered_map>

namespace bench {

struct item_row {
  std::uint64_t times = 0;
  std::uint64_t last = 0;
};
BOOST_DESCRIBE_STRUCT(item_row, (), (times, last))

constexpr microlith::table<std::uint64_t, item_row> items{"items"};

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
