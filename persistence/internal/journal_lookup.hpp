#pragma once

// What those ask of the journal who check something else against it: where it ends by now, and
// which event is where. Read as journal_pages are, so it may run beside a node. Throws
// storage_exception where the journal cannot be read at all. One thread.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

namespace microlith::internal {

class journal_lookup {
 public:
  /// Of the folder that holds the journal.
  explicit journal_lookup(std::filesystem::path directory) : directory_{std::move(directory)} {}

  /// A new look. The journal is never behind what was looked at before.
  [[nodiscard]] std::uint64_t last_position();
  /// Of an event up to there. Absent where it cannot be read, which the journal's own check says.
  [[nodiscard]] std::optional<message_id> id_at(std::uint64_t position);

 private:
  std::filesystem::path directory_;
  std::optional<journal_pages> pages_;
};

}  // namespace microlith::internal
