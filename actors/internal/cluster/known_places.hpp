#pragma once

// Where components run, as far as one node knows: first what the cluster file says, then what the
// node that has the journal says. While the event of a move is being written nobody may be told
// where that component runs: it may be either place. Any thread.

#include <microlith/actors/internal/cluster/placement.hpp>

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace microlith::internal {

class known_places {
 public:
  explicit known_places(placement_table all) : all_{std::move(all)} {}

  [[nodiscard]] std::optional<place> of(std::string_view component) const;
  [[nodiscard]] std::vector<std::string> on(std::string_view node) const;
  [[nodiscard]] placement_table all() const;
  /// All but the one whose move is being written.
  [[nodiscard]] placement_table certain() const;

  void replace(placement_table all);

  void is_changing(const std::string& component);
  /// The event has not been written.
  void stays();
  void has_moved(const std::string& component, place to);

 private:
  mutable std::mutex mutex_;
  placement_table all_;
  std::string changing_;  ///< empty: none
};

}  // namespace microlith::internal
