#pragma once

// Moves a component from one node to another: what the node that has the journal does about it.
//
//   prepare   the target opens the component's projections and catches up; nobody notices
//   hold      every node holds what goes to the component, and says so when nothing is unfinished
//   leave     the source stops it
//   write     the event: from here on it is moved, and what the source appends is refused
//
// Until the event is written anything that goes wrong (a node is lost, something does not end in
// time) leaves all as it was. One move at a time. For one thread, which it never blocks.

#include <microlith/actors/internal/cluster/placement.hpp>
#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/messages/outcome.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace microlith::internal {

/// How long what was sent to a component may take to end, and the component to stop. Shorter than
/// waits usually are: what is held meanwhile must not miss its time.
inline constexpr std::chrono::milliseconds move_step_limit{3'000};

/// What the mover asks of its node.
class move_actions {
 public:
  virtual ~move_actions() = default;
  /// Nodes that are there, this one among them.
  [[nodiscard]] virtual std::vector<std::string> nodes_there() const = 0;
  [[nodiscard]] virtual placement_table places() const = 0;
  /// Whether there is something of the component that a node begins and ends.
  [[nodiscard]] virtual bool movable(const std::string& component) const = 0;
  virtual void tell(const std::string& node, wire::move_step said) = 0;
  virtual void write(const component_moved_event& moved,
                     std::function<void(std::optional<failure>)> done) = 0;
  /// The event is written.
  virtual void placed(const component_moved_event& moved) = 0;
  virtual void later(std::chrono::milliseconds delay, std::function<void()> run) = 0;
};

class mover {
 public:
  /// Why it was not moved; empty: it was.
  using reply = std::function<void(std::optional<std::string> why_not)>;

  mover(move_actions& node, const cluster_file& file) : node_{node}, file_{file} {}

  void begin(const std::string& component, const std::string& to, reply tell);
  /// A node says how far it is.
  void reported(const std::string& node, const wire::move_step& said);
  void lost(const std::string& node);

  /// In words; empty: nothing moves.
  [[nodiscard]] std::string now() const;

 private:
  struct move {
    std::string component;
    std::string from;
    std::string to;
    wire::step phase = wire::step::prepare;
    std::uint64_t number = 0;
    std::uint64_t epoch = 0;
    std::set<std::string> awaited;  ///< nodes that have not reported
    reply tell;
  };

  [[nodiscard]] std::optional<std::string> objection(const std::string& component,
                                                     const std::string& to) const;
  void hold();
  void leave();
  void write();
  void limit_step();
  void give_up(const std::string& why);
  void end(std::optional<std::string> why_not);
  [[nodiscard]] wire::move_step step(wire::step what) const;

  move_actions& node_;
  const cluster_file& file_;
  std::optional<move> move_;
  std::uint64_t last_number_ = 0;
};

}  // namespace microlith::internal
