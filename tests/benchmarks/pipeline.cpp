// A command, its durable event, the reply: the framework beside bare CAF and LMDB, in one run.
//
//   benchmark_pipeline [--benchmark_filter=…]      data goes to a temporary directory
//
// `rate` is commands per second; p50, p99 and p99.9 are microseconds from dispatch to answer.

#include "bare.hpp"
#include "samples.hpp"

#include <microlith/actors/node.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

std::filesystem::path scratch() {
  return std::filesystem::temp_directory_path() /
         ("microlith-pipeline-" + std::to_string(::getpid()));
}

std::uint64_t commands_for(std::int64_t in_flight) {
  return in_flight == 1 ? 2'000 : in_flight <= 64 ? 50'000 : 300'000;
}

void report(benchmark::State& state, std::vector<double>& latency_us, std::uint64_t commands,
            double seconds) {
  std::sort(latency_us.begin(), latency_us.end());
  auto at = [&](double share) {
    auto index = static_cast<std::size_t>(static_cast<double>(latency_us.size()) * share);
    return latency_us[std::min(index, latency_us.size() - 1)];
  };
  state.counters["rate"] = static_cast<double>(commands) / seconds;
  state.counters["p50"] = at(0.5);
  state.counters["p99"] = at(0.99);
  state.counters["p99.9"] = at(0.999);
}

void bare_pipeline(benchmark::State& state) {
  auto in_flight = static_cast<std::uint64_t>(state.range(0));
  auto total = commands_for(state.range(0));
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system{config};
  bare::journal store{scratch()};
  {
    caf::scoped_actor self{system};
    auto events = system.spawn(bare::event_bus, &store);
    auto handler = system.spawn(bare::handler, events);
    auto commands = system.spawn(bare::command_bus, handler);
    for (auto _ : state) {
      std::vector<double> latency_us;
      latency_us.reserve(total);
      auto source = system.spawn(bare::client, commands, total, in_flight, &latency_us,
                                 caf::actor_cast<caf::actor>(self));
      caf::anon_send(events, source);
      auto start = steady::now();
      caf::anon_send(source, caf::ok_atom::value);
      self->receive([](caf::ok_atom) {});
      std::chrono::duration<double> took = steady::now() - start;
      state.SetIterationTime(took.count());
      report(state, latency_us, total, took.count());
      self->send_exit(source, caf::exit_reason::kill);
    }
    for (auto& actor : {events, handler, commands})
      self->send_exit(actor, caf::exit_reason::kill);
  }
  system.await_all_actors_done();
}

// Keeps `in_flight` commands on their way, from the callbacks of their waits.
class load {
 public:
  load(microlith::command_bus commands, std::uint64_t total, std::uint64_t in_flight)
      : commands_{std::move(commands)}, total_{total}, in_flight_{in_flight} {
    latency_us.reserve(total);
  }

  void run() {
    for (std::uint64_t i = 0; i < std::min(in_flight_, total_); ++i)
      fire();
    std::unique_lock lock{mutex_};
    finished_.wait(lock, [&] { return done_ == total_; });
  }

  std::vector<double> latency_us;
  std::uint64_t failed = 0;

 private:
  void fire() {
    auto number = sent_.fetch_add(1, std::memory_order_relaxed);
    if (number >= total_)
      return;
    auto begun = steady::now();
    commands_.dispatch_and_wait<samples::registered>(
        samples::make_command(number), 30s,
        [this, begun](const microlith::answer<samples::registered>& answer) {
          std::chrono::duration<double, std::micro> took = steady::now() - begun;
          failed += answer.failed() ? 1 : 0;
          latency_us.push_back(took.count());
          if (latency_us.size() == total_) {
            std::lock_guard lock{mutex_};
            done_ = total_;
            finished_.notify_one();
            return;
          }
          fire();
        });
  }

  microlith::command_bus commands_;
  std::uint64_t total_;
  std::uint64_t in_flight_;
  std::atomic<std::uint64_t> sent_{0};
  std::uint64_t done_ = 0;
  std::mutex mutex_;
  std::condition_variable finished_;
};

void raw_commit(benchmark::State& state) {
  auto total = commands_for(1);
  const std::string record(250, 'x');  // as many bytes as ours has
  bare::journal store{scratch()};
  for (auto _ : state) {
    std::vector<double> latency_us;
    auto start = steady::now();
    for (std::uint64_t i = 0; i < total; ++i) {
      auto begun = steady::now();
      store.commit_one(record);
      std::chrono::duration<double, std::micro> took = steady::now() - begun;
      latency_us.push_back(took.count());
    }
    std::chrono::duration<double> took = steady::now() - start;
    state.SetIterationTime(took.count());
    report(state, latency_us, total, took.count());
  }
}

microlith::component handler() {
  microlith::component users{"bench.users"};
  users.serves<samples::register_user>(
      [](const samples::register_user& c, microlith::context& ctx) {
        ctx.dispatch(samples::registered{c.email, c.password_hash, c.role});
      });
  users.publishes<samples::registered>();
  return users;
}

// A thread that sleeps until its answer is there, and is woken for it.
void microlith_blocking_caller(benchmark::State& state) {
  std::filesystem::remove_all(scratch());
  auto node = microlith::node::start({.data = scratch(), .threads = 2}, {handler()});
  if (!node) {
    state.SkipWithError(node.error().text.c_str());
    return;
  }
  auto commands = node->commands();
  auto total = commands_for(1);
  for (auto _ : state) {
    std::vector<double> latency_us;
    auto start = steady::now();
    for (std::uint64_t i = 0; i < total; ++i) {
      auto begun = steady::now();
      auto answer = commands.dispatch_and_wait<samples::registered>(samples::make_command(i), 30s);
      std::chrono::duration<double, std::micro> took = steady::now() - begun;
      latency_us.push_back(took.count());
      if (answer.failed())
        state.SkipWithError("a command failed");
    }
    std::chrono::duration<double> took = steady::now() - start;
    state.SetIterationTime(took.count());
    report(state, latency_us, total, took.count());
  }
  node->stop();
  std::filesystem::remove_all(scratch());
}

void run_ours(benchmark::State& state, std::vector<microlith::component> components,
              const std::string& projection = {}) {
  std::filesystem::remove_all(scratch());
  auto node = microlith::node::start({.data = scratch(), .threads = 2}, std::move(components));
  if (!node) {
    state.SkipWithError(node.error().text.c_str());
    return;
  }
  auto total = commands_for(state.range(0));
  for (auto _ : state) {
    load clients{node->commands(), total, static_cast<std::uint64_t>(state.range(0))};
    auto start = steady::now();
    clients.run();
    while (!projection.empty() && node->statistics().projections.at(projection).lag != 0)
      std::this_thread::sleep_for(1ms);
    std::chrono::duration<double> took = steady::now() - start;
    state.SetIterationTime(took.count());
    report(state, clients.latency_us, total, took.count());
    if (clients.failed != 0)
      state.SkipWithError("some commands failed");
  }
  node->stop();
  std::filesystem::remove_all(scratch());
}

void microlith_handler(benchmark::State& state) {
  run_ours(state, {handler()});
}

void microlith_decider(benchmark::State& state) {
  microlith::component users{"bench.users"};
  users.handles<samples::account, samples::register_user>();
  run_ours(state, {users});
}

struct user_row {
  std::string password_hash;
  int role = 0;
};
BOOST_DESCRIBE_STRUCT(user_row, (), (password_hash, role))

constexpr microlith::table<std::string, user_row> users_table{"users"};

// The projection has to keep up: what it has not reached when the last command is answered counts.
void microlith_handler_and_projection(benchmark::State& state) {
  auto users = handler();
  microlith::projection rows{"bench.users", 1};
  rows.keeps(users_table);
  rows.on<samples::registered>([](const samples::registered& e, const microlith::event_info&,
                                  microlith::write_transaction& t) {
    users_table.put(t, e.email, {e.password_hash, e.role});
  });
  users.projects(std::move(rows));
  run_ours(state, {users}, "bench.users");
}

void sizes(benchmark::internal::Benchmark* b) {
  for (int in_flight : {1, 64, 1024, 8192})
    b->Arg(in_flight);
  b->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

void one(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK(raw_commit)->Apply(one);
BENCHMARK(microlith_blocking_caller)->Apply(one);
BENCHMARK(bare_pipeline)->Apply(sizes);
BENCHMARK(microlith_handler)->Apply(sizes);
BENCHMARK(microlith_handler_and_projection)->Apply(sizes);
BENCHMARK(microlith_decider)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
