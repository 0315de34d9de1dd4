#pragma once

// A node for tests, which checks at its end that every message was settled: nothing in flight,
// nothing in a mailbox, whatever the test did to it.

#include <microlith/actors/node.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace microlith::test {

/// Longer than anything takes that is not stuck.
inline constexpr std::chrono::seconds stuck_after{60};

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

  [[nodiscard]] bool contain(const std::string& part) const {
    std::lock_guard lock{mutex_};
    for (const auto& line : lines_) {
      if (line.find(part) != std::string::npos)
        return true;
    }
    return false;
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

/// A running node. Deterministic unless the options say something else.
class running_node {
 public:
  explicit running_node(std::vector<component> components = {},
                        node_options options = {.scheduler = scheduling::deterministic})
      : deterministic_{options.scheduler == scheduling::deterministic},
        node_{start(std::move(options), std::move(components))} {}
  running_node(const running_node&) = delete;
  running_node& operator=(const running_node&) = delete;
  ~running_node() {
    if (!stopped_ && std::uncaught_exceptions() == 0)
      check_settled();
  }

  [[nodiscard]] node* operator->() { return &node_; }
  [[nodiscard]] node& operator*() { return node_; }
  [[nodiscard]] command_bus commands() const { return node_.commands(); }
  [[nodiscard]] query_bus queries() const { return node_.queries(); }
  [[nodiscard]] event_bus events() const { return node_.events(); }
  [[nodiscard]] statistics counted() const { return node_.statistics(); }

  /// Makes the steps that are due, and says how many messages are admitted and not done.
  [[nodiscard]] std::uint64_t in_flight() {
    if (deterministic_)
      node_.run();
    std::uint64_t all = 0;
    for (const auto& [bus, count] : counted().in_flight)
      all += count;
    return all;
  }

  void stop() {
    stopped_ = true;
    node_.stop();
  }

  /// The end is not looked at: for tests that leave something open.
  void leave_unsettled() { stopped_ = true; }

  void check_settled() {
    if (deterministic_) {
      BOOST_TEST(in_flight() == 0U, "messages are in flight at the end");
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

  bool deterministic_;
  node node_;
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
