#pragma once

// The secret that nodes of one machine share: whoever may read the file is one of them.

#include <microlith/messages/result.hpp>
#include <microlith/messages/secret.hpp>
#include <microlith/persistence/error.hpp>

#include <filesystem>
#include <string>

namespace microlith::internal {

/// Reads it; where there is none, makes one of random bytes, with mode 0600. Of several processes
/// that do so at once one wins, and all read the same. Refuses what others may read or own. Any
/// thread.
[[nodiscard]] result<secret<std::string>, storage_error> read_or_make_secret(
    const std::filesystem::path& file);

}  // namespace microlith::internal
