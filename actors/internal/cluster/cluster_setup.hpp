#pragma once

// What a node is told to be in its cluster: the checked file, and what its program has. A value.

#include <microlith/actors/internal/cluster/cluster_file.hpp>
#include <microlith/actors/internal/cluster/cluster_wiring.hpp>
#include <microlith/messages/message_type.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace microlith::internal {

struct cluster_setup {
  cluster_file file;
  std::string node;
  /// The component that serves a type, of all components of the program.
  std::map<std::string, std::string, std::less<>> served_by;
  std::vector<std::pair<const message_type*, std::string>> served_types;  ///< and its component
  std::vector<std::string> components;     ///< of the program, that nodes begin and end
  std::shared_ptr<cluster_wiring> wiring;  ///< in tests
  bool insecure = false;                   ///< links without TLS beyond loopback were asked for
};

}  // namespace microlith::internal
