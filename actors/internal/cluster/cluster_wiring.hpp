#pragma once

// What tests put in place of links and clocks: several nodes in one process that step as one.

#include <microlith/actors/internal/link.hpp>
#include <microlith/messages/envelope.hpp>

#include <memory>
#include <string>

namespace microlith::internal {

/// A node under the deterministic scheduler.
class stepped_node {
 public:
  virtual ~stepped_node() = default;
  /// Makes one step that is due; false: none is.
  virtual bool step() = 0;
  /// When the next step is due that is not due now; `steady_time::max()`: none is.
  [[nodiscard]] virtual steady_time next_due() const = 0;
  /// Moves the clock, and makes due what is until then.
  virtual void advance_to(steady_time when) = 0;
  [[nodiscard]] virtual steady_time now() const = 0;
};

class cluster_wiring {
 public:
  virtual ~cluster_wiring() = default;

  [[nodiscard]] virtual std::unique_ptr<links> make_links(const std::string& node) = 0;

  // For deterministic nodes, on their one thread.
  virtual void join(stepped_node& node) = 0;
  virtual void leave(stepped_node& node) = 0;
  /// One step of whatever is due, on any node or link; false: nothing is.
  virtual bool step() = 0;
  /// The same, but of `blocked`, which is in the middle of a step.
  virtual bool step_others(stepped_node& blocked) = 0;
  /// Moves all clocks to what is due next; false: nothing will be.
  virtual bool jump() = 0;
  /// Lets time pass everywhere.
  virtual void advance(steady_time::duration time) = 0;
};

}  // namespace microlith::internal
