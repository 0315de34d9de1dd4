#pragma once

// Copies of a data directory. A backup is a data directory of its own, with what cannot be derived:
// the journal, the durable subscriptions, and the files of the application, which are those that
// lie directly in the directory. Index, rows and snapshots are derived again.
//
// What is copied are the events up to the last one at a moment, each checked by its checksum:
// events never change, so the copy is one moment of the journal however long it takes and whatever
// a node writes meanwhile. Subscriptions are copied before that moment, each whole, so none is
// ahead of the journal; what they had done since is delivered again. Reading is as
// journal_reader's: nobody is held up. Nothing is thrown. One thread a call.

#include <microlith/messages/identity.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>

namespace microlith {

struct copy_report {
  std::uint64_t events = 0;
  std::uint64_t file_bytes = 0;  ///< of the journal
  std::uint64_t subscriptions = 0;
  std::uint64_t files = 0;  ///< of the application
  message_id epoch;         ///< of the copy
};

/// Called now and then: events copied, and how many there are.
using copy_progress = std::function<void(std::uint64_t done, std::uint64_t of)>;

/// Copies a data directory, whose node may run, to a directory that is not there or
/// empty. Durable when it returns; nothing is left of one that failed.
[[nodiscard]] result<copy_report, storage_error> back_up(const std::filesystem::path& data,
                                                         const std::filesystem::path& to,
                                                         const copy_progress& progress = {});

/// Copies a backup into a data directory that has no journal, and no node, and overwrites nothing.
/// The copy gets an epoch of its own: what other places have derived from the journal of before,
/// index and projections left in the directory among them, is of another journal, and is derived
/// again. Subscriptions that come with the backup go on where they were.
[[nodiscard]] result<copy_report, storage_error> restore(const std::filesystem::path& from,
                                                         const std::filesystem::path& data,
                                                         const copy_progress& progress = {});

}  // namespace microlith
