#pragma once

// The projections of a data directory as files, without their definitions: what a tool can see and
// do of them. Looking never writes, and may be done beside a node; dropping and marking take the
// directory's owner lock, so a node that runs refuses them. Any thread.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

struct stored_projection {
  std::string name;
  std::uint64_t checkpoint = 0;  ///< position up to which its rows are derived
  std::uint64_t behind = 0;      ///< events of the journal that come after it
  std::uint64_t rows = 0;
  std::uint64_t file_bytes = 0;
  bool fits_journal = true;    ///< otherwise it is filled again at the next start
  bool to_be_rebuilt = false;  ///< it has been marked
  std::string problem;         ///< why it cannot be looked at; empty: it can
};

/// By name.
[[nodiscard]] result<std::vector<stored_projection>, storage_error> stored_projections(
    const std::filesystem::path& data);

/// Throws the rows away; they are derived again from the first event at the next start.
[[nodiscard]] result<void, storage_error> drop_projection(const std::filesystem::path& data,
                                                          std::string_view name);

/// At its next start the node fills new rows beside the old ones, which are read until then.
[[nodiscard]] result<void, storage_error> mark_for_rebuild(const std::filesystem::path& data,
                                                           std::string_view name);

}  // namespace microlith
