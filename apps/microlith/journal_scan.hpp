#pragma once

// Going through many events of a journal. One thread.

#include <microlith/persistence/journal_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace tool {

/// Visits the events of a range of positions until the visitor has enough or the journal ends.
[[nodiscard]] std::optional<microlith::storage_error> for_each_event(
    microlith::journal_reader& reader, std::uint64_t from, std::uint64_t to,
    microlith::record_visitor visit);

}  // namespace tool
