#pragma once

// A copy of what a durable subscription remembers, beside the node that writes it: one moment of
// it, each entry checked. Free function; any thread.

#include <microlith/messages/identity.hpp>

#include <filesystem>

namespace microlith::internal {

/// To a new folder. One that belongs to `journal_epoch` belongs to `new_epoch` then, so that it
/// goes on where it was with a copy of that journal. Throws storage_exception where it is damaged
/// or written too quickly, lmdb_error, page_file_error and filesystem_error.
void copy_subscription(const std::filesystem::path& from, const std::filesystem::path& to,
                       message_id journal_epoch, message_id new_epoch);

}  // namespace microlith::internal
