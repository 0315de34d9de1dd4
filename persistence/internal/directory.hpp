#pragma once

// Directories that are still there after a loss of power. A file that is synced may yet be lost
// with its name: the name is durable once its directory is synced. Throws
// std::filesystem::filesystem_error. Free functions; any thread.

#include <filesystem>

namespace microlith::internal {

/// Makes a directory and those above it where they are not there; its mode is 0700 then.
void make_directory(const std::filesystem::path& directory);

/// Makes durable what lies in a directory, and the names of it and of those above it. Those that
/// may not be read are left out.
void sync_names(const std::filesystem::path& directory);

}  // namespace microlith::internal
