#pragma once

// A node's links over real sockets, in an actor system of their own, and what they told.

#include "support/stuck_after.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/actors/internal/link/broker_links.hpp>

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace microlith::test {

using internal::link_options;
using internal::sent;
using namespace std::chrono_literals;

/// A loaded machine is not a silent peer, where silence is not what is tested.
inline constexpr auto patient = 20s;

class recorded_events final : public internal::link_events {
 public:
  void joined(const std::string& peer, message_id) override { note("joined " + peer); }
  void interrupted(const std::string& peer, const std::string&) override {
    note("interrupted " + peer);
  }
  void resumed(const std::string& peer) override { note("resumed " + peer); }
  void lost(const std::string& peer, const std::string&) override { note("lost " + peer); }
  void all_arrived(const std::string&) override {
    std::lock_guard lock{mutex_};
    arrivals_.push_back(messages_.size());
  }
  void arrived(const std::string& peer, std::span<const std::byte> message) override {
    if (on_arrived)
      on_arrived(peer, message);
    std::lock_guard lock{mutex_};
    messages_.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
    changed_.notify_all();
  }

  [[nodiscard]] std::vector<std::string> told() const {
    std::lock_guard lock{mutex_};
    return told_;
  }
  [[nodiscard]] std::vector<std::string> messages() const {
    std::lock_guard lock{mutex_};
    return messages_;
  }
  /// How many messages had come whenever all of some had arrived.
  [[nodiscard]] std::vector<std::size_t> arrivals() const {
    std::lock_guard lock{mutex_};
    return arrivals_;
  }
  [[nodiscard]] bool wait_for(const std::string& what, std::size_t times = 1) const {
    return wait_until([&] {
      return std::count(told_.begin(), told_.end(), what) >= static_cast<std::ptrdiff_t>(times);
    });
  }
  [[nodiscard]] bool wait_for_messages(std::size_t count) const {
    return wait_until([&] { return messages_.size() >= count; });
  }

  std::function<void(const std::string&, std::span<const std::byte>)> on_arrived;

 private:
  void note(std::string what) {
    std::lock_guard lock{mutex_};
    told_.push_back(std::move(what));
    changed_.notify_all();
  }
  template <class F>
  [[nodiscard]] bool wait_until(F holds) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, stuck_after, holds);
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> told_;
  std::vector<std::string> messages_;
  std::vector<std::size_t> arrivals_;
};

class running_links {
 public:
  /// Listens on a port of the machine's choice, if the options do not say more.
  explicit running_links(link_options options) : configuration_{}, system_{configuration_} {
    if (options.listen.empty())
      options.listen = "127.0.0.1:0";
    auto made = internal::make_broker_links(system_, std::move(options));
    if (!made)
      BOOST_FAIL(made.error().text);
    links_ = *std::move(made);
    links_->start(events);
  }

  [[nodiscard]] sent send(const std::string& peer, std::string_view text) {
    return links_->send(peer, std::as_bytes(std::span{text.data(), text.size()}));
  }
  [[nodiscard]] std::string address() const { return links_->listening_at(); }
  [[nodiscard]] internal::link_status status(const std::string& peer) const {
    for (const auto& one : links_->status())
      if (one.peer == peer)
        return one;
    return {};
  }
  /// Until the reason why a peer is not there has this in it.
  [[nodiscard]] bool wait_for_problem(const std::string& peer, const std::string& words) const {
    auto end = std::chrono::steady_clock::now() + stuck_after;
    while (status(peer).problem.find(words) == std::string::npos) {
      if (std::chrono::steady_clock::now() > end) {
        BOOST_TEST_MESSAGE(status(peer).problem);
        return false;
      }
      std::this_thread::yield();
    }
    return true;
  }
  void stop() { links_->stop(); }

  recorded_events events;

 private:
  struct configuration : caf::actor_system_config {
    configuration() {
      load<caf::io::middleman>();
      set("scheduler.max-threads", std::size_t{1});
      set("scheduler.policy", caf::atom("sharing"));
      set("middleman.attach-utility-actors", true);
    }
  };

  configuration configuration_;
  caf::actor_system system_;
  std::unique_ptr<internal::broker_links> links_;
};

/// Options of a node that shares its secret with others through `directory`.
[[nodiscard]] inline link_options named(const std::string& name,
                                        const temporary_directory& directory) {
  link_options options;
  options.name = name;
  options.secret_file = directory.path() / "secret";
  options.silence_limit = patient;
  return options;
}

}  // namespace microlith::test
