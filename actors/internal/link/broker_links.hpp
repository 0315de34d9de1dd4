#pragma once

// Links over TCP, run by a CAF broker.
//
// One broker owns the listening socket and all connections of a node. It runs on the thread of
// CAF's multiplexer, and so do the calls of link_events. It shares the node's actor system: brokers
// have that thread to themselves, whatever the scheduler of the other actors does, and a second
// system would only bring another one.

#include <microlith/actors/internal/link.hpp>
#include <microlith/actors/internal/link/link_options.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <memory>
#include <string>

namespace caf {
class actor_system;
}

namespace microlith::internal {

class broker_links : public links {
 public:
  /// Where it listens, with the port that was chosen where 0 was asked for.
  [[nodiscard]] virtual std::string listening_at() const = 0;
};

/// Checks the options, reads secret or certificates and takes the address, all before anything
/// runs. The system has caf::io::middleman loaded and outlives the links. Any thread, but neither
/// `stop` nor the destructor on the links' own.
[[nodiscard]] result<std::unique_ptr<broker_links>, storage_error> make_broker_links(
    caf::actor_system& system, link_options options);

}  // namespace microlith::internal
