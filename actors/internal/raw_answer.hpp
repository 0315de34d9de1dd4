#pragma once

// An answer before it has its C++ type: what the runtime hands to the typed front of a wait.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/outcome.hpp>

#include <variant>

namespace microlith::internal {

/// A message, the news that a command ended well, or a failure.
using raw_answer = std::variant<envelope, accepted, failure>;

}  // namespace microlith::internal
