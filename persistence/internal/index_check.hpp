#pragma once

// The index on disk against the events that it covers. One thread.

#include <microlith/persistence/internal/index_digest.hpp>
#include <microlith/persistence/verify.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

namespace microlith::internal {

/// How far the index says that it has come; absent where there is none that can be read.
[[nodiscard]] std::optional<std::uint64_t> index_checkpoint(const std::filesystem::path& directory);

/// `expected` has the events up to a checkpoint of before; `extend` adds those up to a later one
/// and is false where they cannot be read.
void check_index(const std::filesystem::path& directory, message_id epoch,
                 std::uint64_t last_position, index_digest& expected,
                 const std::function<bool(std::uint64_t)>& extend,
                 const std::function<void(finding)>& found, verify_report& report);

}  // namespace microlith::internal
