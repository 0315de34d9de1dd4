#pragma once

// What every measured program shares: its arguments, the load that it carries, and the one line
// that it prints. Programs are called
//
//   PROGRAM SCENARIO [--subject NAME] [--in-flight N] [--rate N] [--seconds S] [--name value]...
//
// and print one JSON object: scenario, subject, in_flight, rate, operations, seconds, p50_us,
// p99_us, p999_us, unanswered, sync. A `load` is for one thread; `shared_load` is for callbacks of
// any thread.

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bench {

using steady = std::chrono::steady_clock;

// An open loop gives up the answers that have not come so long after its end; its bound on what is
// on its way keeps a subject that falls behind from being buried: what waits counts as waiting.
constexpr std::chrono::seconds grace{3};
constexpr std::uint64_t max_in_flight = 8'192;
constexpr double warm_up_share = 0.25;

[[noreturn]] inline void give_up(std::string_view attempt, std::string_view why) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(attempt.size()), attempt.data(),
               static_cast<int>(why.size()), why.data());
  std::exit(1);
}

class arguments {
 public:
  arguments(int argc, char** argv) {
    if (argc < 2 || argc % 2 != 0)
      give_up("arguments", "SCENARIO, then pairs of --name and value");
    scenario = argv[1];
    for (int i = 2; i + 1 < argc; i += 2)
      values_[argv[i]] = argv[i + 1];
  }
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const {
    auto found = values_.find("--" + name);
    return found == values_.end() ? otherwise : found->second;
  }
  [[nodiscard]] double number(const std::string& name, double otherwise) const {
    auto value = text(name);
    return value.empty() ? otherwise : std::strtod(value.c_str(), nullptr);
  }
  [[nodiscard]] std::uint64_t count(const std::string& name, std::uint64_t otherwise) const {
    auto value = text(name);
    return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
  }

  std::string scenario;

 private:
  std::map<std::string, std::string> values_;
};

/// In a closed loop `in_flight` operations are on their way at all times and the throughput is what
/// counts. With a rate, one operation is due every 1/rate seconds, whatever has come back (open
/// loop), and its latency counts from when it was due.
struct plan {
  explicit plan(const arguments& from)
      : in_flight{from.count("in-flight", 1)},
        rate{from.number("rate", 0)},
        seconds{from.number("seconds", 1)} {}
  plan(std::uint64_t operations, double per_second, double time)
      : in_flight{operations}, rate{per_second}, seconds{time} {}
  std::uint64_t in_flight;
  double rate;
  double seconds;
};

class load {
 public:
  explicit load(const plan& p) : plan_{p} {
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // the default, 50 µs, would be part of what is measured
    latency_us_.reserve(1'000'000);
    restart();
  }

  /// The clock begins; so it does when constructed.
  void restart() {
    begun_ = steady::now();
    measured_from_ = begun_ + of(plan_.seconds * warm_up_share);
    end_ = measured_from_ + of(plan_.seconds);
    next_due_ = begun_;
  }

  [[nodiscard]] bool open_loop() const { return plan_.rate > 0; }
  [[nodiscard]] bool may_begin() const {
    if (open_loop())
      return in_flight_ < max_in_flight && next_due_ < end_ && next_due_ <= steady::now();
    return in_flight_ < plan_.in_flight && !is_complete(steady::now());
  }
  /// When the operation that now begins was due: to be handed to `ended`.
  steady::time_point began() {
    ++in_flight_;
    ++number_;
    if (!open_loop())
      return steady::now();
    auto due = next_due_;
    next_due_ = begun_ + of(static_cast<double>(number_) / plan_.rate);
    return due;
  }
  void ended(steady::time_point due) { ended(due, steady::now()); }
  void ended(steady::time_point due, steady::time_point now) {
    --in_flight_;
    ++ended_;
    if (open_loop() ? due >= measured_from_ : counts(now)) {
      last_end_ = now;
      latency_us_.push_back(std::chrono::duration<double, std::micro>(now - due).count());
    }
  }
  [[nodiscard]] bool over() const {
    auto now = steady::now();
    if (open_loop())
      return (next_due_ >= end_ && in_flight_ == 0) || now >= end_ + grace;
    return is_complete(now);
  }
  /// Until when there is nothing to begin; in a closed loop a moment.
  [[nodiscard]] steady::time_point next_due() const {
    if (open_loop() && in_flight_ < max_in_flight && next_due_ < end_)
      return next_due_;
    return steady::now() + std::chrono::milliseconds{1};
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::uint64_t in_flight() const { return in_flight_; }

  /// Of a closed loop.
  [[nodiscard]] double per_second() const {
    auto seconds = std::chrono::duration<double>(last_end_ - measured_from_).count();
    return seconds > 0 ? static_cast<double>(latency_us_.size()) / seconds : 0;
  }

  void print(const arguments& from, const std::string& sync) {
    auto now = steady::now();
    auto unanswered = open_loop() ? in_flight_ : 0;
    auto answered = latency_us_.size();
    auto seconds = open_loop() ? plan_.seconds
                               : std::chrono::duration<double>(last_end_ - measured_from_).count();
    // What was not answered, or never begun, took at least this long.
    auto at_least = std::chrono::duration<double, std::micro>(now - end_).count();
    for (std::uint64_t i = 0; i < unanswered; ++i)
      latency_us_.push_back(at_least);
    while (open_loop() && next_due_ < end_) {
      latency_us_.push_back(std::chrono::duration<double, std::micro>(now - next_due_).count());
      (void)began();
      ++unanswered;
    }
    std::sort(latency_us_.begin(), latency_us_.end());
    std::printf(
        "{\"scenario\": \"%s\", \"subject\": \"%s\", \"in_flight\": %llu, \"rate\": %.0f, "
        "\"operations\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
        "\"p999_us\": %.1f, \"unanswered\": %llu, \"sync\": \"%s\"}\n",
        from.scenario.c_str(), from.text("subject").c_str(),
        static_cast<unsigned long long>(plan_.in_flight), plan_.rate, answered, seconds, at(0.5),
        at(0.99), at(0.999), static_cast<unsigned long long>(unanswered), sync.c_str());
    std::fflush(stdout);
    if (answered == 0)
      give_up(from.scenario, "nothing was answered in the time measured");
  }

 private:
  static steady::duration of(double seconds) {
    return std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(seconds));
  }
  /// A closed loop counts from the end of its first turn on, so that what is answered in large
  /// groups is counted from the end of one group to the end of another.
  bool counts(steady::time_point now) {
    if (measuring_)
      return true;
    if (now >= measured_from_ && (ended_ >= plan_.in_flight || now >= measured_from_ + grace / 2)) {
      measuring_ = true;
      measured_from_ = now;
      end_ = now + of(plan_.seconds);
    }
    return false;
  }
  [[nodiscard]] bool is_complete(steady::time_point now) const {
    return (measuring_ && now >= end_ && latency_us_.size() >= plan_.in_flight) ||
           now >= end_ + grace;
  }
  [[nodiscard]] double at(double share) const {
    if (latency_us_.empty())
      return 0;
    auto index = static_cast<std::size_t>(static_cast<double>(latency_us_.size()) * share);
    return latency_us_[std::min(index, latency_us_.size() - 1)];
  }

  plan plan_;
  steady::time_point begun_{};
  steady::time_point measured_from_{};
  steady::time_point end_{};
  steady::time_point next_due_{};
  steady::time_point last_end_{};
  bool measuring_ = false;
  std::uint64_t in_flight_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t ended_ = 0;
  std::vector<double> latency_us_;
};

/// A load whose operations end in callbacks. `begin(number, due)` sends one; its end calls
/// `ended(due)`, later, from any thread.
class shared_load {
 public:
  using begin_function = std::function<void(std::uint64_t number, steady::time_point due)>;

  shared_load(const plan& p, begin_function begin) : load_{p}, begin_{std::move(begin)} {}

  void run() {
    load_.restart();
    while (begin_one()) {
    }
    for (;;) {
      std::unique_lock lock{mutex_};
      if (load_.over())
        break;
      auto until = load_.next_due();
      bool more = load_.open_loop();  // a closed loop goes on by itself: each end begins another
      lock.unlock();
      std::this_thread::sleep_until(until);
      while (more && begin_one()) {
      }
    }
    // What is still on its way is waited for: its callbacks are ours.
    auto limit = steady::now() + grace;
    for (std::unique_lock lock{mutex_}; load_.in_flight() > 0 && steady::now() < limit;) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      lock.lock();
    }
  }
  void ended(steady::time_point due) {
    {
      std::lock_guard lock{mutex_};
      load_.ended(due);
      if (load_.open_loop())
        return;
    }
    begin_one();
  }
  [[nodiscard]] double per_second() const { return load_.per_second(); }
  void print(const arguments& from, const std::string& sync) { load_.print(from, sync); }

 private:
  bool begin_one() {
    std::unique_lock lock{mutex_};
    if (!load_.may_begin())
      return false;
    auto due = load_.began();
    auto number = load_.number();
    lock.unlock();
    begin_(number, due);
    return true;
  }

  std::mutex mutex_;
  load load_;
  begin_function begin_;
};

}  // namespace bench
