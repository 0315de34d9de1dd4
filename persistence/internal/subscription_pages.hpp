#pragma once

// The state of a durable subscription as its data file holds it, read page by page. Throws
// page_error; any thread.

#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>

#include <optional>

namespace microlith::internal {

/// Absent where it has none yet.
[[nodiscard]] std::optional<subscription_state> subscription_state_in(const page_file& file,
                                                                      const page_snapshot& seen);

}  // namespace microlith::internal
