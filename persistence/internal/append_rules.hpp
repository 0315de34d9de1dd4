#pragma once

// What every journal refuses, whatever it keeps its records in. Free functions; any thread.

#include <microlith/persistence/append.hpp>

#include <optional>
#include <string>

namespace microlith::internal {

/// What is wrong with a request by itself.
[[nodiscard]] std::optional<std::string> problem_with(const append_request& request);

/// `handler_failed`, `not_done`: asking again will not help.
[[nodiscard]] append_outcome misused_append(const std::string& why, message_id id);

}  // namespace microlith::internal
