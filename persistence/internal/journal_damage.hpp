#pragma once

// What is said of a damaged journal, whoever has found it. Any thread.

#include <microlith/persistence/error.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace microlith::internal {

/// `position` 0: of no event in particular.
inline storage_error damaged_journal(const std::filesystem::path& directory,
                                     const std::string& what, std::uint64_t position) {
  std::string text = position == 0 ? "the journal" : "event " + std::to_string(position);
  text +=
      " in " + directory.string() + " is damaged: " + what + ". Stop the node and restore a backup";
  if (position > 1)
    text += "; the events before it can be read";
  return {storage_error_kind::damaged, std::move(text), position};
}

}  // namespace microlith::internal
