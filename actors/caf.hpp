#pragma once

// For those who want native CAF: the only public header that includes it.

#include <microlith/actors/internal/caf_compat.hpp>
#include <microlith/actors/node.hpp>

namespace microlith {

/// The actor system that runs a node's buses and handlers.
[[nodiscard]] caf::actor_system& actor_system_of(node& at);

/// An actor that takes envelopes: a CAF receiver of events.
using caf_receiver = internal::receiver_actor;

/// Sends every `type` from now on to a CAF actor of the same system, one envelope a message.
[[nodiscard]] subscription subscribe(node& at, const message_type& type, caf_receiver receiver);

/// The typed handle of a bus. Takes envelopes to dispatch, and `(envelope, wait)` and `wait`
/// requests, which are answered when the wait ends.
[[nodiscard]] internal::bus_actor bus_actor_of(node& at, message_kind kind);

}  // namespace microlith
