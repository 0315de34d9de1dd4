#pragma once

// A node for tests, which checks at its end that every message was settled: nothing in flight,
// nothing in a mailbox, whatever the test did to it.
//
// With MICROLITH_TEST_NODES=2 or 3 the same tests run on several nodes: what they dispatch, wait
// for and listen to is on one, handlers and components are on another, the journal is with them or
// on a third.

#include "support/fake_network.hpp"
#include "support/stuck_after.hpp"

#include <microlith/actors/node.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace microlith::test {

/// Looks again and again, giving way to others; false where `holds` never does.
template <class Condition>
[[nodiscard]] bool comes_true(Condition holds) {
  auto until = std::chrono::steady_clock::now() + stuck_after;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= until)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// The same as a requirement of the test.
template <class Condition>
void eventually(Condition holds, const std::string& what) {
  BOOST_REQUIRE_MESSAGE(comes_true(holds), "never came true: " + what);
}

/// What a node logs. Any thread.
class log_lines {
 public:
  [[nodiscard]] std::function<void(log_level, const std::string&)> writer() {
    return [this](log_level, const std::string& text) {
      std::lock_guard lock{mutex_};
      lines_.push_back(text);
    };
  }

  [[nodiscard]] bool contain(const std::string& part) const { return count(part) != 0; }

  /// Lines that have this in them.
  [[nodiscard]] std::size_t count(const std::string& part) const {
    std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count_if(
        lines_.begin(), lines_.end(),
        [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Things in the order in which they came, from any thread.
template <class T>
class seen {
 public:
  void add(T one) {
    std::lock_guard lock{mutex_};
    all_.push_back(std::move(one));
  }

  [[nodiscard]] std::vector<T> all() const {
    std::lock_guard lock{mutex_};
    return all_;
  }

  [[nodiscard]] std::size_t count() const {
    std::lock_guard lock{mutex_};
    return all_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> all_;
};

/// How many nodes share the work of one.
[[nodiscard]] inline int nodes_of_a_test() {
  const char* wanted = std::getenv("MICROLITH_TEST_NODES");
  return wanted == nullptr ? 1 : std::atoi(wanted);
}

/// Where a running_node with this directory has its journal, and what lies beside it.
[[nodiscard]] inline std::filesystem::path directory_of_the_journal(
    const std::filesystem::path& data) {
  auto nodes = nodes_of_a_test();
  return nodes == 1 ? data : data / (nodes == 2 ? "worker" : "keeper");
}

/// A subscription whose end all nodes know of when it has ended.
[[nodiscard]] inline subscription settled_at_the_end(subscription one,
                                                     std::function<void()> settle) {
  return subscription{[kept = std::make_shared<subscription>(std::move(one)), settle] {
    kept->reset();
    settle();
  }};
}

/// A bus of a node whose handlers are on another one.
template <class Bus>
class bus_of_nodes : public Bus {
 public:
  bus_of_nodes(Bus near, Bus far, std::function<void()> settle, bool is_far)
      : Bus{std::move(near)}, far_{std::move(far)}, settle_{std::move(settle)}, is_far_{is_far} {}

  template <class T, class F>
  [[nodiscard]] auto subscribe(F function,
                               std::source_location place = std::source_location::current()) const {
    auto served = far_.template subscribe<T>(std::move(function), place);
    settle_();
    if (served && is_far_)
      *served = settled_at_the_end(std::move(*served), settle_);
    return served;
  }
  void around_dispatch(dispatch_middleware around) const {
    Bus::around_dispatch(around);
    if (is_far_)
      far_.around_dispatch(std::move(around));
  }
  void around_handle(handle_middleware around) const { far_.around_handle(std::move(around)); }

 private:
  Bus far_;
  std::function<void()> settle_;
  bool is_far_;
};

/// The event bus of a node whose journal is on another one.
class listening_bus : public event_bus {
 public:
  listening_bus(event_bus near, event_bus far, std::function<void()> settle, bool is_far)
      : event_bus{std::move(near)},
        far_{std::move(far)},
        settle_{std::move(settle)},
        is_far_{is_far} {}

  template <published_message E, class F>
  [[nodiscard]] subscription subscribe(
      F function, subscribe_options options = {},
      std::source_location place = std::source_location::current()) const {
    auto listening = event_bus::subscribe<E>(std::move(function), std::move(options), place);
    settle_();
    return is_far_ ? settled_at_the_end(std::move(listening), settle_) : std::move(listening);
  }
  void around_dispatch(dispatch_middleware around) const {
    event_bus::around_dispatch(around);
    if (is_far_)
      far_.around_dispatch(std::move(around));
  }

 private:
  event_bus far_;
  std::function<void()> settle_;
  bool is_far_;
};

/// A running node, or several that do its work. Deterministic unless the options say something
/// else.
class running_node {
 public:
  explicit running_node(std::vector<component> components = {},
                        node_options options = {.scheduler = scheduling::deterministic})
      : deterministic_{options.scheduler == scheduling::deterministic} {
    if (nodes_of_a_test() == 1)
      nodes_.push_back(start(std::move(options), std::move(components)));
    else
      start_cluster(options, components);
  }
  running_node(const running_node&) = delete;
  running_node& operator=(const running_node&) = delete;
  ~running_node() {
    if (!stopped_ && std::uncaught_exceptions() == 0)
      check_settled();
    stop();
  }

  [[nodiscard]] node* operator->() { return &front(); }
  [[nodiscard]] node& operator*() { return front(); }
  [[nodiscard]] auto commands() { return spread(front().commands(), worker().commands()); }
  [[nodiscard]] auto queries() { return spread(front().queries(), worker().queries()); }
  [[nodiscard]] auto events() {
    return listening_bus{front().events(), worker().events(), [this] { settle(); },
                         nodes_.size() > 1};
  }

  /// The node that hosts the components and handlers.
  [[nodiscard]] node& worker() { return nodes_.size() > 1 ? nodes_[1] : nodes_.front(); }
  [[nodiscard]] node& front() { return nodes_.front(); }

  /// Of all nodes together.
  [[nodiscard]] statistics counted() const {
    auto all = nodes_.front().statistics();
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      auto one = nodes_[i].statistics();
      for (auto& each : one.messages)
        all.messages.push_back(std::move(each));
      for (const auto& [key, value] : one.waits_by_outcome)
        all.waits_by_outcome[key] += value;
      for (const auto& [key, value] : one.refused)
        all.refused[key] += value;
      for (const auto& [key, value] : one.mailbox_depth)
        all.mailbox_depth[key] += value;
      for (const auto& [key, value] : one.in_flight)
        all.in_flight[key] += value;
      for (const auto& [key, value] : one.projection_position)
        all.projection_position[key] = value;
      for (const auto& [key, value] : one.durable_subscriptions)
        all.durable_subscriptions[key] = value;
      all.pending_waits += one.pending_waits;
      all.conversation_slots += one.conversation_slots;
      all.journal_position = std::max(all.journal_position, one.journal_position);
      all.late_answers += one.late_answers;
      all.missed_by_subscribers += one.missed_by_subscribers;
      all.handler_exceptions += one.handler_exceptions;
      if (all.commit_batch_events.sum == 0) {
        all.commit_batch_events = one.commit_batch_events;
        all.commit_duration_seconds = one.commit_duration_seconds;
      }
    }
    return all;
  }

  /// Makes the steps that are due, and says how many messages are admitted and not done.
  [[nodiscard]] std::uint64_t in_flight() {
    if (deterministic_)
      front().run();
    auto counts = counted().in_flight;
    return counts["command"] + counts["query"] + counts["event"];
  }

  void stop() {
    stopped_ = true;
    for (auto& each : nodes_)
      each.stop();
  }

  /// The end is not looked at: for tests that leave something open.
  void leave_unsettled() { stopped_ = true; }

  void check_settled() {
    if (deterministic_) {
      BOOST_TEST(in_flight() == 0U, "messages are in flight at the end");
      for (const auto& [where, count] : counted().in_flight)
        BOOST_TEST(count == 0U, "messages are on their way at the end: " << where);
      for (const auto& [mailbox, depth] : counted().mailbox_depth)
        BOOST_TEST(depth == 0U, "messages wait in mailbox " << mailbox << " at the end");
      return;
    }
    BOOST_CHECK_MESSAGE(comes_true([this] { return in_flight() == 0; }),
                        "messages stay in flight at the end");
    BOOST_CHECK_MESSAGE(comes_true([this] {
                          auto depths = counted().mailbox_depth;
                          return std::all_of(depths.begin(), depths.end(), [](const auto& mailbox) {
                            return mailbox.second == 0;
                          });
                        }),
                        "messages wait in a mailbox at the end");
  }

 private:
  [[nodiscard]] static node start(node_options options, std::vector<component> components) {
    auto started = node::start(std::move(options), std::move(components));
    BOOST_REQUIRE_MESSAGE(started.has_value(),
                          (started ? std::string{} : to_string(started.error())));
    return std::move(*started);
  }

  void start_cluster(const node_options& options, const std::vector<component>& components) {
    auto network = std::make_shared<fake_network>(deterministic_ ? fake_network::mode::stepped
                                                                 : fake_network::mode::threaded);
    std::vector<std::string> names{options.name, "worker"};
    if (nodes_of_a_test() > 2)
      names.emplace_back("keeper");
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::string hosts;
      if (i == names.size() - 1)
        hosts += "'journal', ";
      if (i == 1) {
        for (const auto& each : components)
          hosts += "'" + each.name() + "', ";
      }
      text += "[nodes." + names[i] + "]\nlisten = '127.0.0.1:" + std::to_string(4101 + i) +
              "'\nhosts = [" + hosts + "]\n";
    }
    for (const auto& name : names) {
      auto own = options;
      own.name = name;
      if (!options.data.empty() && name != options.name)
        own.data = options.data / name;
      own.cluster =
          cluster_options{.file = "cluster.toml", .node = name, .text = text, .wiring = network};
      nodes_.push_back(start(std::move(own), components));
    }
    settle();
  }

  /// Until all nodes know what the others serve.
  void settle() {
    if (nodes_.size() == 1 || stopped_)
      return;
    if (deterministic_) {
      front().run();
      return;
    }
    eventually(
        [&] {
          std::vector<cluster_status> all;
          for (const auto& each : nodes_)
            all.push_back(each.cluster());
          for (const auto& one : all) {
            if (!one.waiting.empty())
              return false;
            for (const auto& other : one.others) {
              auto same = std::find_if(all.begin(), all.end(),
                                       [&](const auto& each) { return each.node == other.name; });
              if (!other.there || other.serves != same->serves || other.wants != same->wants)
                return false;
            }
          }
          return true;
        },
        "the nodes have met");
  }

  template <class Bus>
  [[nodiscard]] bus_of_nodes<Bus> spread(Bus near, Bus far) {
    return {std::move(near), std::move(far), [this] { settle(); }, nodes_.size() > 1};
  }

  bool deterministic_;
  std::vector<node> nodes_;
  bool stopped_ = false;
};

/// Options of a node with real threads.
[[nodiscard]] inline node_options on_threads(unsigned threads = 2) {
  node_options options;
  options.threads = threads;
  return options;
}

/// Options of a deterministic node that logs to `lines`.
[[nodiscard]] inline node_options logging_to(log_lines& lines) {
  node_options options;
  options.scheduler = scheduling::deterministic;
  options.log = lines.writer();
  return options;
}

/// The failure that a wait ended with; a failure of the test where it ended with something else.
template <class... Ts>
[[nodiscard]] failure failure_of(const answer<Ts...>& ended) {
  const auto* why = ended.template get_if<failure>();
  BOOST_REQUIRE_MESSAGE(why != nullptr, "the wait was answered");
  return *why;
}

/// The `T` that a wait ended with.
template <class T, class... Ts>
[[nodiscard]] T answered(const answer<Ts...>& ended) {
  if (const auto* why = ended.template get_if<failure>())
    BOOST_FAIL("the wait ended as " + to_string(*why));
  const auto* got = ended.template get_if<T>();
  BOOST_REQUIRE_MESSAGE(got != nullptr, "the wait ended with another alternative");
  return *got;
}

}  // namespace microlith::test

namespace microlith {

// Found by Boost.Test, which prints what it compares.
inline std::ostream& operator<<(std::ostream& out, failure_kind kind) {
  return out << to_string(kind);
}
inline std::ostream& operator<<(std::ostream& out, certainty value) {
  return out << to_string(value);
}

template <class Role>
std::ostream& operator<<(std::ostream& out, const basic_id<Role>& id) {
  return out << to_string(id);
}

}  // namespace microlith
