#pragma once

// One process that hosts components.
//
// `start` opens the data directory, hosts the components and returns when everything serves. The
// destructor stops the node in order: nothing new is admitted, conversations drain, the last commit
// is made and answered, what still waits ends as `stopped`. Handles to the buses may be used from
// any thread, also after the node has stopped.
//
// Under the deterministic scheduler nothing runs by itself: `run` and `advance` make the steps, and
// a blocking wait makes them until it ends, in virtual time.

#include <microlith/actors/cluster_status.hpp>
#include <microlith/actors/command_bus.hpp>
#include <microlith/actors/component.hpp>
#include <microlith/actors/event_bus.hpp>
#include <microlith/actors/node_options.hpp>
#include <microlith/actors/query_bus.hpp>
#include <microlith/actors/statistics.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace microlith {

class node {
 public:
  [[nodiscard]] static result<node, storage_error> start(node_options options,
                                                         std::vector<component> components = {});

  node(node&& other) noexcept;
  node& operator=(node&& other) noexcept;
  ~node();

  [[nodiscard]] command_bus commands() const;
  [[nodiscard]] query_bus queries() const;
  [[nodiscard]] event_bus events() const;

  /// Hosts one more component, now.
  [[nodiscard]] result<void, failure> host(const component& added);

  /// Whether a component has its place here: in a cluster, on the node that its file says.
  [[nodiscard]] bool hosts(std::string_view component) const;

  /// Stops in order; see above. Any thread that is not a handler's; a second call does nothing.
  void stop();

  [[nodiscard]] microlith::statistics statistics() const;
  /// What it knows of the other nodes; of itself alone where there are none.
  [[nodiscard]] cluster_status cluster() const;
  [[nodiscard]] const microlith::journal& journal() const;
  /// The rows of a hosted projection; null where there is none of this name.
  [[nodiscard]] const projection_rows* rows(const std::string& projection) const;
  /// How far it is behind the journal, and whether it goes on; null where there is none.
  [[nodiscard]] std::optional<projection_statistics> progress_of(
      const std::string& projection) const;
  /// Begins to derive the rows again, beside those that are read meanwhile; swaps when it has
  /// caught up with them. One that had stopped goes on from there.
  [[nodiscard]] result<void, failure> rebuild(const std::string& projection);

  /// What a durable subscription remembers, and the keys that it holds back; null where there is
  /// none of this name.
  [[nodiscard]] const subscription_store* subscription_state(const std::string& name) const;
  /// The events of a parked key are delivered again, in order, and what came after them.
  [[nodiscard]] result<void, failure> replay_parked(const std::string& subscription,
                                                    const std::string& key);
  /// Forgets the events of a parked key, or the one at a position.
  [[nodiscard]] result<void, failure> drop_parked(const std::string& subscription,
                                                  const std::string& key,
                                                  std::optional<std::uint64_t> position = {});

  /// Deterministic scheduler only. Runs what is due; returns the number of steps.
  std::size_t run();
  /// Deterministic scheduler only. Lets virtual time pass, and runs what becomes due.
  void advance(std::chrono::milliseconds time);

  [[nodiscard]] const std::shared_ptr<internal::runtime>& runtime() const { return runtime_; }

 private:
  struct hosted;
  node() = default;
  [[nodiscard]] result<void, failure> about_parked(const std::string& subscription,
                                                   const std::string& key, bool drop,
                                                   std::optional<std::uint64_t> position);

  std::shared_ptr<internal::runtime> runtime_;
  std::unique_ptr<hosted> hosted_;
};

}  // namespace microlith
