#pragma once

// A small file beside the journal that remembers how far it had come: LMDB can lose its last commit
// without noticing.
//
// Written after each commit, synced now and then, so it may lag behind the journal after a crash of
// the machine, but must never be ahead of it. A missing, torn or older witness is no damage.
// `write` and `sync` may be called from different threads.

#include <microlith/messages/identity.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace microlith::internal {

struct witnessed {
  message_id epoch;
  std::uint64_t position = 0;
  std::uint64_t running_hash = 0;  ///< of all records up to the position
  std::uint64_t transaction = 0;   ///< of LMDB
  std::uint64_t meta_hash = 0;     ///< meta_page::hash of that transaction; 0: not known
};

/// Absent where there is no whole witness.
[[nodiscard]] std::optional<witnessed> read_witness(const std::filesystem::path& file);

class witness {
 public:
  /// Makes the file (mode 0600) if it is not there.
  explicit witness(const std::filesystem::path& file);
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness();

  /// Failing to write leaves an older witness, which does no harm.
  void write(const witnessed& state) const;
  void sync() const;

 private:
  int file_ = -1;
  mutable std::atomic<bool> unsynced_{false};
};

}  // namespace microlith::internal
