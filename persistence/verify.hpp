#pragma once

// Is what lies in a data directory what was written? Looks at everything: pages and their
// accounting, checksums, positions, stream versions, the witness, the index, projections, what they
// skipped, snapshots, durable subscriptions and what they hold back, and the checkpoints of all.
//
// Reads with pread alone (as journal_reader does), writes nothing and takes no lock, so it may run
// beside a node; what the node rewrites meanwhile is looked at again, and where that is not
// possible a note says so. Damage on pages that are not in use is none. Nothing is thrown. One
// thread a call; a call may take as long as reading all files does.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace microlith {

struct finding {
  bool is_damage = true;       ///< otherwise a note: nothing is wrong, or heals at the next start
  std::string part;            ///< "journal", "index", "projection auth.users"
  std::string text;            ///< what is wrong and what to do
  std::uint64_t position = 0;  ///< first event that it is about; 0: none in particular
  friend bool operator==(const finding&, const finding&) = default;
};

/// More of them are counted, not kept.
inline constexpr std::size_t max_findings = 100;

struct verify_report {
  std::vector<finding> findings;
  std::uint64_t damages = 0;  ///< findings that are damage, also those not kept
  std::uint64_t events = 0;   ///< whole ones
  std::uint64_t streams = 0;
  std::uint64_t index_entries = 0;
  std::uint64_t projections = 0;
  std::uint64_t rows = 0;     ///< of projections
  std::uint64_t skipped = 0;  ///< records of events that they skipped
  std::uint64_t snapshots = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t held_events = 0;  ///< by subscriptions

  [[nodiscard]] bool is_damaged() const { return damages != 0; }
  /// 0 where no damage has one.
  [[nodiscard]] std::uint64_t first_damaged_position() const;
};

struct verify_options {
  /// Called now and then: events looked at, and how many there are.
  std::function<void(std::uint64_t done, std::uint64_t of)> progress = {};
};

/// An error where there is nothing to verify: no data directory, or one that may not be read.
[[nodiscard]] result<verify_report, storage_error> verify(const std::filesystem::path& data,
                                                          const verify_options& options = {});

}  // namespace microlith
