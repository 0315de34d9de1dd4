#pragma once

// Links between nodes of one process, for tests: reliable and in order as link.hpp promises, and
// cut, frozen, healed or killed as the test says.
//
// With deterministic nodes everything happens on the test's thread, one step after the other. With
// real threads messages are carried by a thread of the network.

#include <microlith/actors/internal/cluster/cluster_wiring.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace microlith::test {

class fake_network final : public internal::cluster_wiring,
                           public std::enable_shared_from_this<fake_network> {
 public:
  enum class mode { stepped, threaded };

  explicit fake_network(mode how = mode::stepped) {
    if (how == mode::threaded)
      carrier_ = std::jthread{[this](std::stop_token stop) { carry(stop); }};
  }
  ~fake_network() override {
    if (carrier_.joinable()) {
      carrier_.request_stop();
      { std::lock_guard lock{mutex_}; }
      changed_.notify_all();
    }
  }

  /// Messages that a link keeps for a peer that does not take them; past it `send` is overloaded.
  std::size_t capacity = 100'000;

  std::unique_ptr<internal::links> make_links(const std::string& node) override;

  void join(internal::stepped_node& node) override { nodes_.push_back(&node); }
  void leave(internal::stepped_node& node) override { std::erase(nodes_, &node); }

  bool step() override { return step_some(); }
  bool step_others(internal::stepped_node& blocked) override {
    blocked_.push_back(&blocked);
    bool stepped = step_some();
    blocked_.pop_back();
    return stepped;
  }
  bool jump() override {
    auto next = steady_time::max();
    for (auto* node : nodes_)
      next = std::min(next, node->next_due());
    if (next == steady_time::max())
      return false;
    for (auto* node : std::vector{nodes_})
      node->advance_to(next);
    return true;
  }
  void advance(steady_time::duration time) override {
    if (nodes_.empty())
      return;
    auto until = nodes_.front()->now() + time;
    // Due by due, so that what happens at one time is seen by all before the next.
    for (;;) {
      auto next = until;
      for (auto* node : nodes_)
        next = std::min(next, node->next_due());
      for (auto* node : std::vector{nodes_})
        node->advance_to(next);
      while (step()) {
      }
      if (next == until)
        return;
    }
  }

  /// Messages between two nodes wait; neither can send to the other until they are healed.
  void cut(const std::string& a, const std::string& b) {
    set_cut(a, b, true);
    set_cut(b, a, true);
  }
  void heal(const std::string& a, const std::string& b) {
    set_cut(a, b, false);
    set_cut(b, a, false);
  }
  /// Messages to a node wait, and nobody notices.
  void freeze(const std::string& node) { set_frozen(node, true); }
  void thaw(const std::string& node) { set_frozen(node, false); }
  /// The process of a node dies: what was on its way to it or from it is gone, and all are told.
  void kill(const std::string& node, const std::string& why = "its process has died");

  /// Puts a message on a link, as if its sender had.
  void inject(const std::string& from, const std::string& to, std::vector<std::byte> message) {
    std::lock_guard lock{mutex_};
    pipes_[{from, to}].waiting.push_back(std::move(message));
    changed_.notify_all();
  }
  /// Called with every message that is sent, from now on.
  std::function<void(const std::string& from, const std::string& to, std::span<const std::byte>)>
      on_send;
  /// Messages that never arrive, against what links promise: as if their sender had no time for
  /// them.
  std::function<bool(const std::string& from, const std::string& to, std::span<const std::byte>)>
      loses;

  /// Messages carried so far, of all links.
  [[nodiscard]] std::uint64_t carried() const { return carried_.load(); }

 private:
  class node_links;
  struct end {
    internal::link_events* events = nullptr;  // null: not started, or stopped
    message_id incarnation;
  };
  struct pipe {
    std::deque<std::function<void(internal::link_events&)>> news;  // before all messages
    std::deque<std::vector<std::byte>> waiting;
    bool joined = false;
    bool cut = false;
  };
  using names = std::pair<std::string, std::string>;  // from, to

  void start(const std::string& node, internal::link_events& events);
  void stop(const std::string& node);
  internal::sent send(const std::string& from, const std::string& to,
                      std::span<const std::byte> message);
  std::vector<internal::link_status> status(const std::string& node) const;
  void set_cut(const std::string& from, const std::string& to, bool cut);
  void set_frozen(const std::string& node, bool frozen);
  [[nodiscard]] bool can_deliver(const names& ends, const pipe& between) const;
  [[nodiscard]] bool nothing_leaves(const std::string& node) const;
  [[nodiscard]] bool on_carrier() const {
    return !carrier_.joinable() || std::this_thread::get_id() == carrier_.get_id();
  }
  bool step_some();
  bool deliver_one();
  void carry(const std::stop_token& stop);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, end> ends_;
  std::map<names, pipe> pipes_;
  names last_;
  std::set<std::string> frozen_;
  internal::link_events* calling_ = nullptr;
  std::atomic<std::uint64_t> carried_{0};
  std::vector<internal::stepped_node*> nodes_;
  std::vector<internal::stepped_node*> blocked_;
  std::size_t turn_ = 0;
  std::size_t arriving_ = 0;
  std::jthread carrier_;
};

class fake_network::node_links final : public internal::links {
 public:
  node_links(std::shared_ptr<fake_network> network, std::string node)
      : network_{std::move(network)}, node_{std::move(node)} {}
  ~node_links() override { stop(); }

  void start(internal::link_events& to) override { network_->start(node_, to); }
  internal::sent send(const std::string& peer, std::span<const std::byte> message) override {
    return network_->send(node_, peer, message);
  }
  std::vector<internal::link_status> status() const override { return network_->status(node_); }
  void stop() override { network_->stop(node_); }

 private:
  std::shared_ptr<fake_network> network_;
  std::string node_;
};

inline std::unique_ptr<internal::links> fake_network::make_links(const std::string& node) {
  return std::make_unique<node_links>(shared_from_this(), node);
}

inline void fake_network::start(const std::string& node, internal::link_events& events) {
  std::lock_guard lock{mutex_};
  auto& own = ends_[node];
  own = {&events, message_id::make()};
  auto meet = [&](const std::string& from, const end& sender, const std::string& to) {
    auto& between = pipes_[{from, to}];
    between.joined = true;
    between.news.push_back([from, incarnation = sender.incarnation](internal::link_events& at) {
      at.joined(from, incarnation);
    });
  };
  for (auto& [name, other] : ends_) {
    if (name == node || other.events == nullptr)
      continue;
    meet(node, own, name);
    meet(name, other, node);
  }
  changed_.notify_all();
}

inline void fake_network::stop(const std::string& node) {
  {
    std::lock_guard lock{mutex_};
    if (ends_[node].events == nullptr)
      return;
  }
  // What was taken still arrives, as far as it can.
  if (!carrier_.joinable()) {
    while (deliver_one()) {
    }
  } else {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, std::chrono::seconds{1}, [&] { return nothing_leaves(node); });
  }
  kill(node, "it has stopped");
}

inline void fake_network::kill(const std::string& node, const std::string& why) {
  std::unique_lock lock{mutex_};
  auto* events = std::exchange(ends_[node].events, nullptr);
  if (events == nullptr)
    return;
  changed_.wait(lock, [&] { return calling_ != events || on_carrier(); });
  for (auto& [ends, between] : pipes_) {
    if (ends.second == node) {
      between = {};
    } else if (ends.first == node && between.joined) {
      between = {};
      between.news.push_back([node, why](internal::link_events& at) { at.lost(node, why); });
    }
  }
  changed_.notify_all();
}

inline internal::sent fake_network::send(const std::string& from, const std::string& to,
                                         std::span<const std::byte> message) {
  std::lock_guard lock{mutex_};
  auto& between = pipes_[{from, to}];
  // Two ends: what the sender knows of the receiver is what the pipe back says.
  if (!between.joined || between.cut)
    return internal::sent::unreachable;
  if (between.waiting.size() >= capacity)
    return internal::sent::overloaded;
  if (loses && loses(from, to, message))
    return internal::sent::taken;
  between.waiting.emplace_back(message.begin(), message.end());
  if (on_send)
    on_send(from, to, message);
  changed_.notify_all();
  return internal::sent::taken;
}

inline std::vector<internal::link_status> fake_network::status(const std::string& node) const {
  std::lock_guard lock{mutex_};
  std::vector<internal::link_status> all;
  for (const auto& [ends, between] : pipes_) {
    if (ends.first == node)
      all.push_back({.peer = ends.second,
                     .address = "in this process",
                     .connected = between.joined && !between.cut,
                     .problem = between.joined ? "" : "not there"});
  }
  return all;
}

inline void fake_network::set_cut(const std::string& from, const std::string& to, bool cut) {
  std::lock_guard lock{mutex_};
  auto& between = pipes_[{from, to}];
  if (between.cut == cut || !between.joined)
    return;
  between.cut = cut;
  between.news.push_back([from, cut](internal::link_events& at) {
    if (cut)
      at.interrupted(from, "the test has cut the link");
    else
      at.resumed(from);
  });
  changed_.notify_all();
}

inline void fake_network::set_frozen(const std::string& node, bool frozen) {
  std::lock_guard lock{mutex_};
  if (frozen)
    frozen_.insert(node);
  else
    frozen_.erase(node);
  changed_.notify_all();
}

inline bool fake_network::can_deliver(const names& ends, const pipe& between) const {
  auto receiver = ends_.find(ends.second);
  if (receiver == ends_.end() || receiver->second.events == nullptr)
    return false;
  if (!between.news.empty())
    return true;
  return !between.waiting.empty() && !between.cut && !frozen_.contains(ends.first) &&
         !frozen_.contains(ends.second);
}

inline bool fake_network::nothing_leaves(const std::string& node) const {
  for (const auto& [ends, between] : pipes_) {
    if (ends.first == node && can_deliver(ends, between))
      return false;
  }
  return true;
}

// One message or piece of news, of the pipe whose turn it is, on the calling thread.
inline bool fake_network::deliver_one() {
  std::function<void(internal::link_events&)> news;
  std::vector<std::byte> message;
  internal::link_events* to = nullptr;
  std::string from;
  {
    std::lock_guard lock{mutex_};
    auto next = pipes_.upper_bound(last_);
    for (std::size_t i = 0; i < pipes_.size() && to == nullptr; ++i) {
      if (next == pipes_.end())
        next = pipes_.begin();
      auto& [ends, between] = *next++;
      if (!can_deliver(ends, between))
        continue;
      last_ = ends;
      from = ends.first;
      to = ends_[ends.second].events;
      if (!between.news.empty()) {
        news = std::move(between.news.front());
        between.news.pop_front();
      } else {
        message = std::move(between.waiting.front());
        between.waiting.pop_front();
      }
    }
    if (to == nullptr)
      return false;
    calling_ = to;
  }
  if (news) {
    news(*to);
  } else {
    carried_.fetch_add(1);
    to->arrived(from, message);
    to->all_arrived(from);
  }
  {
    std::lock_guard lock{mutex_};
    calling_ = nullptr;
  }
  changed_.notify_all();
  return true;
}

// Nodes first; when none has anything to do, all that is on its way arrives, as it would in one
// read of a socket.
inline bool fake_network::step_some() {
  if (arriving_ != 0) {
    --arriving_;
    if (deliver_one())
      return true;
    arriving_ = 0;
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto* node = nodes_[turn_++ % nodes_.size()];
    if (std::find(blocked_.begin(), blocked_.end(), node) == blocked_.end() && node->step())
      return true;
  }
  if (carrier_.joinable())
    return false;
  {
    std::lock_guard lock{mutex_};
    for (const auto& [ends, between] : pipes_)
      arriving_ += between.waiting.size();
  }
  return deliver_one();
}

inline void fake_network::carry(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (deliver_one())
      continue;
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] {
      return stop.stop_requested() ||
             std::any_of(pipes_.begin(), pipes_.end(),
                         [&](const auto& each) { return can_deliver(each.first, each.second); });
    });
  }
}

}  // namespace microlith::test
