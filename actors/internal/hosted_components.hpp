#pragma once

// The components that run on a node, and, in a cluster, those that it could run.
//
// Beginning one opens its projections and durable subscriptions and serves what it serves; ending
// one takes all that back. Any thread may call anything; what takes long is done by whoever calls.

#include <microlith/actors/component.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

struct projector_part;
struct durable_part;
struct live_subscriber;

class hosted_components {
 public:
  explicit hosted_components(runtime& node) : node_{node} {}

  /// Begins one that nobody places: at once, and for as long as the node runs.
  [[nodiscard]] result<void, failure> add(const component& added);

  // Of a cluster.
  /// May be told to run here.
  void offer(std::vector<component> all);
  [[nodiscard]] bool offers(std::string_view name) const;
  /// Whether there is something that a node could begin and end.
  [[nodiscard]] bool movable(std::string_view name) const;
  /// Opens its projections and lets them catch up.
  [[nodiscard]] result<void, failure> prepare(const std::string& name);
  /// Its projections have come to this position; true where it has none.
  [[nodiscard]] bool has_reached(std::string_view name, std::uint64_t position) const;
  [[nodiscard]] result<void, failure> begin(const std::string& name);
  /// Its durable subscriptions begin no delivery any more.
  void pause(std::string_view name);
  /// None of its durable subscriptions is delivering.
  [[nodiscard]] bool delivers_nothing(std::string_view name) const;
  /// It serves nothing any more. Looked at again and again until true: all of it has ended, and its
  /// files are closed.
  [[nodiscard]] bool has_ended(std::string_view name);

  [[nodiscard]] bool runs(std::string_view name) const;
  [[nodiscard]] bool is_there(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> running() const;

  /// The node has stopped: its actors are gone already.
  void forget();

 private:
  struct hosted {
    std::string name;
    bool serves = false;
    std::vector<subscription> subscriptions;
    std::vector<std::shared_ptr<projector_part>> projectors;
    std::vector<std::shared_ptr<durable_part>> durables;
    std::vector<std::weak_ptr<live_subscriber>> listeners;  ///< that are ending
    bool ending = false;
    std::shared_ptr<std::atomic<std::size_t>> running_actors;
  };

  [[nodiscard]] result<void, failure> open(hosted& at, const component& of);
  [[nodiscard]] result<void, failure> open(hosted& at, const durable_subscription& definition);
  [[nodiscard]] result<void, failure> serve(hosted& at, const component& of);
  void end(hosted& at);
  [[nodiscard]] hosted* find(std::string_view name);
  [[nodiscard]] const hosted* find(std::string_view name) const;
  [[nodiscard]] const component* find_offer(std::string_view name) const;

  void set_serves(hosted& at, bool serves);

  runtime& node_;
  mutable std::mutex mutex_;  ///< held for as long as opening and serving take
  std::list<hosted> hosted_;
  std::vector<component> offered_;
  mutable std::mutex running_mutex_;  ///< for a moment, also within the other one
  std::multiset<std::string, std::less<>> running_;
};

}  // namespace microlith::internal
