#pragma once

// Going through many events of a journal. One thread.

#include "microlith/event_filter.hpp"

#include <microlith/persistence/journal_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace tool {

/// Visits the events of a range of positions until the visitor has enough or the journal ends.
[[nodiscard]] std::optional<microlith::storage_error> for_each_event(
    microlith::journal_reader& reader, std::uint64_t from, std::uint64_t to,
    microlith::record_visitor visit);

/// Visits the events that a filter takes, in order. Those of one stream or conversation are found
/// in the index.
[[nodiscard]] std::optional<microlith::storage_error> for_each_match(
    microlith::journal_reader& reader, const event_filter& filter, microlith::record_visitor visit);

}  // namespace tool
