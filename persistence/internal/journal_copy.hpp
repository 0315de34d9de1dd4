#pragma once

// One copy of a journal's events, up to the last one at a moment: read as journal_pages are, each
// event checked by its checksum, written to an environment of its own. Throws what both throw; one
// thread, one run.

#include <microlith/persistence/backup.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/lmdb.hpp>

#include <cstdint>
#include <filesystem>
#include <utility>

namespace microlith::internal {

class journal_copy {
 public:
  /// Of a data directory. Throws storage_exception where it holds no journal.
  explicit journal_copy(const std::filesystem::path& from) : from_{from / "journal"} {}

  [[nodiscard]] message_id epoch() const { return from_.meta().epoch; }

  /// Writes what is there now to a new folder; durable then, but for the folder's own name.
  [[nodiscard]] copy_report write(const std::filesystem::path& folder, message_id epoch,
                                  const copy_progress& progress);

 private:
  void begin(environment& to, message_id epoch);
  void write_some(environment& to);
  void write_witness(const std::filesystem::path& folder, message_id epoch) const;

  journal_pages from_;
  std::uint64_t last_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace microlith::internal
