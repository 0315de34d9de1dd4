#pragma once

// The event of a move on its way into the journal of this node, and what became of it. The writer
// reports on its own thread; this lives until it has, or has ended.

#include <microlith/actors/internal/cluster/placement.hpp>
#include <microlith/actors/internal/work.hpp>
#include <microlith/messages/outcome.hpp>

#include <functional>
#include <optional>
#include <utility>

namespace microlith::internal {

class runtime;

class written_move final : public report_target {
 public:
  /// On the writer's thread; with a failure: it was not written.
  using reply = std::function<void(std::optional<failure> why_not)>;

  explicit written_move(reply done) : done_{std::move(done)} {}

  /// Once. Refused where the component has moved since the epoch before.
  void append(runtime& to, const component_moved_event& moved);

  void report(append_reports&& reports) override;

 private:
  reply done_;
};

}  // namespace microlith::internal
