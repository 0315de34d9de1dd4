#pragma once

// What the actors of a durable subscription say to each other. Free of CAF.

#include <microlith/actors/durable_subscription.hpp>
#include <microlith/messages/envelope.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace microlith::internal {

/// Run the handler of an event.
struct delivery_message {
  envelope event;
  const durable_handler* handler = nullptr;
};

/// It is done, or why not.
struct delivered_message {
  std::uint64_t position = 0;
  std::optional<failure> why;
};

/// The time has come to try the first event of a held key again.
struct retry_message {
  std::string key;
};

/// What a person wants of a parked key.
struct parked_message {
  std::string key;
  bool drop = false;                      ///< otherwise: replay
  std::optional<std::uint64_t> position;  ///< drop this one alone
};

}  // namespace microlith::internal
