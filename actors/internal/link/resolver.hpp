#pragma once

// Names to addresses without waiting: a name service that says nothing holds up a thread of its
// own, and nobody else. For one thread.

#include <microlith/actors/internal/link/socket_address.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace microlith::internal {

class resolver {
 public:
  /// The answer if it is there by now; else it is being asked for: ask again. An answer is given
  /// once, so that a name may move.
  [[nodiscard]] std::optional<resolved> ask(const std::string& address);

 private:
  struct pending;
  std::map<std::string, std::shared_ptr<pending>> pending_;
};

}  // namespace microlith::internal
