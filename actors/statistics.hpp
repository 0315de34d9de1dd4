#pragma once

// Counters of a node, for metrics and for tests. Reading them is a snapshot, from any thread.

#include <microlith/messages/outcome.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

/// Counts of values up to each bound, in the manner of Prometheus: `counts[i]` holds the values in
/// (bounds[i-1], bounds[i]], the last one all above.
struct histogram {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  double sum = 0;
};

/// How far a projection, or a group of them, is.
struct projection_statistics {
  std::uint64_t position = 0;  ///< up to which rows are derived
  std::uint64_t lag = 0;       ///< events of the journal after it
  bool caught_up = false;      ///< there are none
  bool stopped = false;        ///< at an event that it cannot apply
  bool rebuilding = false;
  std::uint64_t skipped_events = 0;  ///< that it could not apply; `projection_rows::skipped`
  std::string trouble = {};          ///< why it stopped or waits
};

/// How far a durable subscription is, and what it holds back.
struct durable_statistics {
  std::uint64_t position = 0;      ///< events up to it are done or held
  std::uint64_t lag = 0;           ///< events of the journal after it
  std::uint64_t in_flight = 0;     ///< with handlers
  std::uint64_t retried_keys = 0;  ///< whose first event is tried again
  std::uint64_t parked_keys = 0;   ///< until a person does something
  std::uint64_t parked_events = 0;
  std::uint64_t delivered = 0;  ///< since the start
  std::uint64_t failures = 0;   ///< attempts that failed since the start
  std::string trouble = {};     ///< why it waits
};

struct statistics {
  struct message_count {
    std::string bus;
    std::string type;
    std::uint64_t count = 0;
  };
  std::vector<message_count> messages;  ///< passed, by bus and type
  std::map<std::string, std::uint64_t>
      waits_by_outcome;                                ///< "answered", "timeout", "no_handler", …
  std::map<std::string, std::uint64_t> mailbox_depth;  ///< messages that wait, by bus; "writer"
  std::map<std::string, std::uint64_t> in_flight;  ///< admitted from outside and not done, by bus
  std::map<std::string, std::uint64_t> projection_position;  ///< checkpoint by projection
  std::map<std::string, projection_statistics> projections;
  std::map<std::string, durable_statistics> durable_subscriptions;
  /// Messages, and waits past their bound, that were not let in, by reason: "overloaded",
  /// "no_handler", "stopped", …
  std::map<std::string, std::uint64_t> refused;
  std::uint64_t pending_waits = 0;
  std::uint64_t conversation_slots = 0;  ///< conversations that a wait may still find
  std::uint64_t journal_position = 0;
  std::uint64_t snapshots_written = 0;  ///< states of deciders
  std::uint64_t snapshots_used = 0;     ///< streams that were loaded from one on
  std::uint64_t late_answers = 0;       ///< messages whose wait had timed out
  std::uint64_t missed_by_subscribers = 0;
  std::uint64_t handler_exceptions = 0;
  /// Not told to another node: it was out of reach too long, or encoding threw.
  std::uint64_t dropped_for_nodes = 0;
  histogram commit_batch_events;  ///< events per commit
  histogram commit_duration_seconds;
};

namespace internal {

template <std::size_t Bounds>
class histogram_counter {
 public:
  explicit constexpr histogram_counter(std::array<double, Bounds> bounds) : bounds_{bounds} {}

  void observe(double value) {
    std::size_t i = 0;
    while (i < Bounds && value > bounds_[i])
      ++i;
    counts_[i].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  [[nodiscard]] histogram snapshot() const {
    histogram result{.bounds = {bounds_.begin(), bounds_.end()}, .counts = {}, .sum = sum_.load()};
    for (const auto& count : counts_)
      result.counts.push_back(count.load(std::memory_order_relaxed));
    return result;
  }

 private:
  std::array<double, Bounds> bounds_;
  std::array<std::atomic<std::uint64_t>, Bounds + 1> counts_{};
  std::atomic<double> sum_{0};
};

inline constexpr std::size_t failure_kinds = static_cast<std::size_t>(failure_kind::forgotten) + 1;

/// How a wait can end: the failure kinds in their order, then "answered".
inline constexpr std::size_t wait_outcomes = failure_kinds + 1;
inline constexpr std::size_t wait_answered = failure_kinds;

struct statistics_counters {
  std::array<std::atomic<std::uint64_t>, wait_outcomes> waits{};
  std::array<std::atomic<std::uint64_t>, failure_kinds> refused{};
  std::atomic<std::uint64_t> snapshots_written{0};
  std::atomic<std::uint64_t> snapshots_used{0};
  std::atomic<std::uint64_t> late_answers{0};
  std::atomic<std::uint64_t> missed_by_subscribers{0};
  std::atomic<std::uint64_t> handler_exceptions{0};
  std::atomic<std::uint64_t> dropped_for_nodes{0};
  histogram_counter<12> commit_batch_events{{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}};
  histogram_counter<12> commit_duration_seconds{
      {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1}};

  void count_refused(failure_kind why) {
    refused[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace internal
}  // namespace microlith
