#pragma once

// The folder of one thing in a data directory that a tool is told by name, and changing it while no
// node runs. Nothing is thrown. Free functions; any thread.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/function_ref.hpp>

#include <filesystem>
#include <string_view>

namespace microlith::internal {

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
