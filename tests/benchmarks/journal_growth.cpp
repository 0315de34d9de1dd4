// Whether cost grows with age: append rate, stream load, memory and time to open of one journal at
// 10^4, 10^5, … events, as a table for README.md and a plot.
//
//   benchmark_journal_growth DIRECTORY [LAST_EXPONENT, default 7] [PLOT.svg]
//
// The directory's content is deleted, before and after; 10^7 events take about 5 GB there, as the
// rate of raw LMDB is measured in turns.

#include "journal_samples.hpp"
#include "plot.hpp"

#include <cmath>
#include <random>

namespace bench {

// Streams that are loaded: of 100 events each, from one end of the journal to the other, for each
// age.
constexpr std::uint64_t probes = 32;
constexpr std::uint64_t probe_events = 100;
constexpr std::uint64_t first_exponent = 4;
constexpr std::size_t loads = 1'000;
constexpr std::size_t measured_batches = 100;
// What is not measured is appended in larger batches, as some disks bound syncs a second.
constexpr std::size_t growing_batch_events = 10'000;

std::string probe_name(std::uint64_t exponent, std::uint64_t number) {
  return stream_name(1'000'000'000 + exponent * 1'000 + number);
}

/// Events in random streams, most of them in old ones, a tenth in new ones; among them, evenly
/// spread, those of the probes.
class growing_journal {
 public:
  explicit growing_journal(std::uint64_t last_exponent) : last_exponent_{last_exponent} {}

  std::vector<microlith::append_request> batch(std::size_t events) {
    std::vector<microlith::append_request> requests(events);
    for (auto& request : requests) {
      request.id = microlith::message_id::make();
      ++position_;
      request.events.push_back(make_event(position_ % 100'000, next_stream(), request.id));
    }
    return requests;
  }

 private:
  std::string next_stream() {
    for (auto e = first_exponent; e <= last_exponent_; ++e) {
      auto size = static_cast<std::uint64_t>(std::pow(10, e));
      auto spacing = size / probe_events;
      auto within = (position_ - 1) % spacing;
      // Each age has places of its own within what lies between two events of a probe.
      auto first = (e - first_exponent) * probes % (spacing - probes + 1);
      if (position_ <= size && within >= first && within < first + probes)
        return probe_name(e, within - first);
    }
    if (streams_ == 0 || random_() % 10 == 0)
      return stream_name(++streams_);
    return stream_name(1 + random_() % streams_);
  }

  std::uint64_t last_exponent_;
  std::uint64_t position_ = 0;
  std::uint64_t streams_ = 0;
  std::mt19937_64 random_{42};
};

struct row {
  double events = 0;
  double raw_rate = 0;
  double rate = 0;
  double p999_by_p50 = 0;
  double load_p50_us = 0;
  double load_p99_us = 0;
  double memory_mb = 0;
  double open_ms = 0;
};

double rate_of(const std::vector<double>& times) {
  double sum = 0;
  for (double t : times)
    sum += t;
  return static_cast<double>(times.size() * batch_events) / sum;
}

void measure_loads(const microlith::journal& from, std::uint64_t exponent, row& out) {
  std::vector<double> times;
  for (std::size_t i = 0; i < loads; ++i) {
    std::uint64_t seen = 0;
    auto start = steady::now();
    auto page = from.read_stream(probe_name(exponent, i % probes), 1, {.events = 1'000},
                                 [&](const microlith::record_view&) { ++seen; });
    times.push_back(seconds_since(start));
    // Where the places of several ages meet, a few of a probe's are another one's.
    if (!page || seen < probe_events * 9 / 10)
      fail("load a stream", page ? "it has " + std::to_string(seen) : page.error().text);
  }
  std::sort(times.begin(), times.end());
  out.load_p50_us = at_share_us(times, 0.5);
  out.load_p99_us = at_share_us(times, 0.99);
}

std::vector<row> grow(const std::filesystem::path& directory, std::uint64_t last_exponent) {
  std::filesystem::remove_all(directory);
  raw_journal raw{directory / "raw"};
  auto ours = open(directory / "ours");
  growing_journal source{last_exponent};
  std::vector<row> rows;
  for (auto e = first_exponent; e <= last_exponent; ++e) {
    row r;
    auto size = static_cast<std::uint64_t>(std::llround(std::pow(10, e)));
    r.events = static_cast<double>(size);
    std::vector<double> ours_s;
    std::vector<double> raw_s;
    while (ours->last_position() < size) {
      auto left = size - ours->last_position();
      bool measured = left <= measured_batches * batch_events;
      auto batch = source.batch(measured ? batch_events : growing_batch_events);
      if (measured)
        raw_s.push_back(raw.append());
      auto took = append(*ours, std::move(batch));
      if (measured)
        ours_s.push_back(took);
    }
    r.rate = rate_of(ours_s);
    r.raw_rate = rate_of(raw_s);
    std::sort(ours_s.begin(), ours_s.end());
    r.p999_by_p50 = at_share_us(ours_s, 0.999) / at_share_us(ours_s, 0.5);
    measure_loads(*ours, e, r);
    r.memory_mb = static_cast<double>(memory_bytes()) / 1e6;
    ours.reset();
    auto start = steady::now();
    ours = open(directory / "ours");
    r.open_ms = seconds_since(start) * 1e3;
    rows.push_back(r);
  }
  return rows;
}

void print(const std::vector<row>& rows) {
  std::printf(
      "| events | raw LMDB, appended/s | journal, appended/s | ratio | slowest batch by median | "
      "load 100 events, p50 | p99 | memory | open |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& r : rows)
    std::printf(
        "| 10^%d | %.2f M | %.2f M | %.2f | %.1f | %.0f µs | %.0f µs | %.0f MB | %.0f ms |\n",
        static_cast<int>(std::lround(std::log10(r.events))), r.raw_rate / 1e6, r.rate / 1e6,
        r.rate / r.raw_rate, r.p999_by_p50, r.load_p50_us, r.load_p99_us, r.memory_mb, r.open_ms);
}

void plot(const std::vector<row>& rows, const std::filesystem::path& file) {
  std::vector<double> xs;
  std::vector<curve> curves{
      {"time of an append", {}}, {"load of a stream", {}}, {"memory", {}}, {"time to open", {}}};
  const auto& first = rows.front();
  for (const auto& r : rows) {
    xs.push_back(r.events);
    curves[0].values.push_back(first.rate / r.rate);
    curves[1].values.push_back(r.load_p50_us / first.load_p50_us);
    curves[2].values.push_back(r.memory_mb / first.memory_mb);
    curves[3].values.push_back(std::max(r.open_ms, 0.01) / std::max(first.open_ms, 0.01));
  }
  write_plot(file, "Cost by age of the journal, as multiples of the cost at 10^4 events", xs,
             curves);
}

}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [LAST_EXPONENT] [PLOT.svg]\n", argv[0]);
    return 2;
  }
  auto last = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 7;
  if (last < bench::first_exponent || last > 9)
    bench::fail("LAST_EXPONENT", "is from 4 to 9");
  auto rows = bench::grow(argv[1], last);
  bench::print(rows);
  if (argc > 3)
    bench::plot(rows, argv[3]);
  std::filesystem::remove_all(argv[1]);
}
