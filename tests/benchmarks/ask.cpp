// A blocking question and its answer: `ask` beside a bare CAF request through one intermediate
// actor, in one run. The counters are microseconds a request.

#include "samples.hpp"

#include <microlith/actors/node.hpp>

#include <benchmark/benchmark.h>
#include <caf/all.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;
constexpr int requests = 20'000;

template <class Request>
void measure(benchmark::State& state, Request request) {
  for (auto _ : state) {
    std::vector<double> latency_us;
    latency_us.reserve(requests);
    for (int i = 0; i < requests; ++i) {
      auto start = steady::now();
      if (!request(static_cast<std::uint64_t>(i))) {
        state.SkipWithError("a request failed");
        return;
      }
      std::chrono::duration<double, std::micro> took = steady::now() - start;
      latency_us.push_back(took.count());
    }
    std::sort(latency_us.begin(), latency_us.end());
    state.counters["p50"] = latency_us[requests / 2];
    state.counters["p99"] = latency_us[requests * 99 / 100];
    state.counters["p99.9"] = latency_us[requests * 999 / 1000];
  }
}

void bare_request(benchmark::State& state) {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system{config};
  auto serves =
      system.spawn([]() -> caf::behavior { return {[](std::uint64_t number) { return number; }}; });
  auto bus = system.spawn([serves](caf::event_based_actor* self) -> caf::behavior {
    return {[self, serves](std::uint64_t number) { return self->delegate(serves, number); }};
  });
  {
    caf::scoped_actor self{system};
    measure(state, [&](std::uint64_t number) {
      bool ok = false;
      self->request(bus, caf::infinite, number)
          .receive([&](std::uint64_t got) { ok = got == number; }, [](const caf::error&) {});
      return ok;
    });
    self->send_exit(bus, caf::exit_reason::kill);
    self->send_exit(serves, caf::exit_reason::kill);
  }
  system.await_all_actors_done();
}

void microlith_ask(benchmark::State& state) {
  microlith::component pinging{"bench.ping"};
  pinging.answers<samples::ping>([](const samples::ping& q) { return samples::pong{q.number}; });
  auto node = microlith::node::start({.threads = 2}, {pinging});
  auto queries = node->queries();
  measure(state, [&](std::uint64_t number) {
    auto answer = queries.ask(samples::ping{number});
    const auto* got = answer.get_if<samples::pong>();
    return got && got->number == number;
  });
}

BENCHMARK(bare_request)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);
BENCHMARK(microlith_ask)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
