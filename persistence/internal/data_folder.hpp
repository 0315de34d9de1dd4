#pragma once

// The folder of one thing in a data directory that a tool is told by name, and changing it while no
// node runs. Free functions; any thread.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/function_ref.hpp>

#include <filesystem>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// Folders in `directory` that hold an environment, by name; none where it is not there. Throws
/// std::filesystem::filesystem_error where one may not be looked into: nobody knows what it holds.
[[nodiscard]] std::vector<std::filesystem::path> environments_in(
    const std::filesystem::path& directory);

/// What is said of such a folder.
[[nodiscard]] storage_error unreadable_folder(const std::filesystem::filesystem_error& error);

/// One that is there, by a name that is no way to somewhere else: `data`/`group`s/`name`. `group`
/// is also the word for error texts.
[[nodiscard]] result<std::filesystem::path, storage_error> folder_of(
    const std::filesystem::path& data, std::string_view group, std::string_view name);

/// Takes the directory's owner lock for the change: a node that runs has it, and this is refused.
/// `change` may throw std::system_error, lmdb_error and storage_exception.
[[nodiscard]] result<void, storage_error> change_folder(
    const std::filesystem::path& data, std::string_view group, std::string_view name,
    function_ref<void(const std::filesystem::path&)> change);

}  // namespace microlith::internal
