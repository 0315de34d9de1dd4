// Links beside CAF's own remote actors, between two processes over loopback, in one run: a request
// and its reply (the counters are microseconds), and messages of 200 bytes one way (a second).

#include <microlith/actors/internal/link/broker_links.hpp>

#include <benchmark/benchmark.h>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace microlith;
using namespace microlith::internal;
using steady = std::chrono::steady_clock;

constexpr int requests = 5'000;
constexpr int messages = 200'000;
constexpr std::size_t message_bytes = 200;
constexpr std::size_t window_of_bare = 20'000;  // CAF has no bound of its own

struct configuration : caf::actor_system_config {
  configuration() {
    load<caf::io::middleman>();
    set("scheduler.max-threads", std::size_t{2});
    set("scheduler.policy", caf::atom("sharing"));
  }
};

/// The first letter says what is wanted: e(cho), c(ount), l(ast: tell how many).
std::string message_for(char wanted) {
  std::string text(message_bytes, 'x');
  text[0] = wanted;
  return text;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

/// Another process of this program; it ends when its input does.
class server {
 public:
  explicit server(const std::string& role, const std::string& secret = {}) {
    int in[2];
    int out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0)
      std::exit(1);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      for (int one : {in[0], in[1], out[0], out[1]})
        ::close(one);
      ::execl("/proc/self/exe", "benchmark_link", role.c_str(), secret.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    for (char letter = 0; ::read(out[0], &letter, 1) == 1 && letter != '\n';)
      address += letter;
    ::close(out[0]);
  }
  ~server() {
    ::close(input_);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string address;

 private:
  pid_t pid_ = -1;
  int input_ = -1;
};

void wait_for_end_of_input() {
  char letter = 0;
  while (::read(STDIN_FILENO, &letter, 1) > 0) {
  }
}

int serve_bare() {
  configuration config;
  caf::actor_system system{config};
  auto serves = system.spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[self](const std::string& text) {
      auto answer = self->make_response_promise();
      if (text[0] != 'c')
        answer.deliver(text);
    }};
  });
  auto port = system.middleman().publish(serves, 0, "127.0.0.1");
  std::cout << *port << std::endl;
  wait_for_end_of_input();
  caf::anon_send_exit(serves, caf::exit_reason::kill);
  return 0;
}

class echoing final : public link_events {
 public:
  void joined(const std::string&, message_id) override {}
  void arrived(const std::string& peer, std::span<const std::byte> message) override {
    if (message[0] != std::byte{'c'})
      (void)to->send(peer, message);
  }
  void interrupted(const std::string&, const std::string&) override {}
  void resumed(const std::string&) override {}
  void lost(const std::string&, const std::string&) override {}
  links* to = nullptr;
};

int serve_links(const std::string& secret) {
  configuration config;
  caf::actor_system system{config};
  link_options options;
  options.name = "b";
  options.listen = "127.0.0.1:0";
  options.secret_file = secret;
  options.peers = {{"a", "127.0.0.1:1"}};
  echoing events;
  auto links = *make_broker_links(system, options);
  events.to = links.get();
  std::cout << links->listening_at() << std::endl;
  links->start(events);
  wait_for_end_of_input();
  return 0;
}

template <class Request>
void measure_latency(benchmark::State& state, Request request) {
  for (auto _ : state) {
    std::vector<double> latency_us;
    for (int i = 0; i < requests; ++i) {
      auto start = steady::now();
      request();
      latency_us.push_back(
          std::chrono::duration<double, std::micro>(steady::now() - start).count());
    }
    std::sort(latency_us.begin(), latency_us.end());
    state.counters["p50"] = latency_us[requests / 2];
    state.counters["p99"] = latency_us[requests * 99 / 100];
  }
}

template <class Send, class Settle>
void measure_throughput(benchmark::State& state, Send send, Settle settle) {
  for (auto _ : state) {
    auto start = steady::now();
    for (int i = 0; i < messages; ++i)
      send(i);
    settle();
    auto took = std::chrono::duration<double>(steady::now() - start).count();
    state.counters["per_s"] = messages / took;
  }
}

struct bare_client {
  bare_client() : other{"bare"}, system{config}, self{system} {
    remote = *system.middleman().remote_actor("127.0.0.1",
                                              static_cast<std::uint16_t>(std::stoi(other.address)));
  }
  void ask(const std::string& text) {
    self->request(remote, caf::infinite, text)
        .receive([](const std::string&) {}, [](const caf::error&) { std::exit(1); });
  }
  server other;
  configuration config;
  caf::actor_system system;
  caf::scoped_actor self;
  caf::actor remote;
};

class link_client final : public link_events {
 public:
  link_client()
      : secret_{(std::filesystem::temp_directory_path() /
                 ("microlith-benchmark-" + std::to_string(::getpid())))
                    .string()},
        other_{"links", secret_},
        system_{config_} {
    link_options options;
    options.name = "a";
    options.listen = "127.0.0.1:0";
    options.secret_file = secret_;
    options.peers = {{"b", other_.address}};
    links_ = *make_broker_links(system_, options);
    links_->start(*this);
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return joined_; });
  }
  ~link_client() override {
    links_->stop();
    std::filesystem::remove(secret_);
  }

  void send(const std::string& text) {
    while (links_->send("b", bytes_of(text)) == sent::overloaded)
      std::this_thread::yield();
  }
  void ask(const std::string& text) {
    std::unique_lock lock{mutex_};
    answered_ = false;
    lock.unlock();
    send(text);
    lock.lock();
    changed_.wait(lock, [&] { return answered_; });
  }

  void joined(const std::string&, message_id) override { set(joined_); }
  void arrived(const std::string&, std::span<const std::byte>) override { set(answered_); }
  void interrupted(const std::string&, const std::string&) override {}
  void resumed(const std::string&) override {}
  void lost(const std::string&, const std::string&) override {}

 private:
  void set(bool& what) {
    std::lock_guard lock{mutex_};
    what = true;
    changed_.notify_all();
  }

  std::string secret_;
  server other_;
  configuration config_;
  caf::actor_system system_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool joined_ = false;
  bool answered_ = false;
  std::unique_ptr<broker_links> links_;
};

void bare_request(benchmark::State& state) {
  bare_client client;
  auto text = message_for('e');
  measure_latency(state, [&] { client.ask(text); });
}

void link_request(benchmark::State& state) {
  link_client client;
  auto text = message_for('e');
  measure_latency(state, [&] { client.ask(text); });
}

void bare_messages(benchmark::State& state) {
  bare_client client;
  auto text = message_for('c');
  auto last = message_for('l');
  measure_throughput(
      state,
      [&](int i) {
        caf::anon_send(client.remote, text);
        if (static_cast<std::size_t>(i) % window_of_bare == window_of_bare - 1)
          client.ask(last);
      },
      [&] { client.ask(last); });
}

void link_messages(benchmark::State& state) {
  link_client client;
  auto text = message_for('c');
  auto last = message_for('l');
  measure_throughput(
      state, [&](int) { client.send(text); }, [&] { client.ask(last); });
}

BENCHMARK(bare_request)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);
BENCHMARK(link_request)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);
BENCHMARK(bare_messages)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);
BENCHMARK(link_messages)->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  std::string role = argc > 1 ? argv[1] : "";
  if (role == "bare")
    return serve_bare();
  if (role == "links" && argc > 2)
    return serve_links(argv[2]);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
