#pragma once

// Asks for the memory of what is appended before it is looked at: others have filled it on its way
// here, mostly not lately.

#include <microlith/persistence/journal.hpp>

#include <cstddef>

namespace microlith::internal {

/// How many events before it is looked at.
inline constexpr std::size_t events_ahead = 4;

inline void prefetch(const append_request& request) {
  __builtin_prefetch(&request.checks);
  __builtin_prefetch(&request.events);
}

inline void prefetch(const new_event& event) {
  if (!event.message)
    return;
  const auto* head = &event.message.head();
  __builtin_prefetch(head);
  __builtin_prefetch(&head->facts);
  __builtin_prefetch(event.message.body());
}

}  // namespace microlith::internal
