#pragma once

// The entries of a projection's tables, wherever these are: rows and records of skipped events.
// Throws page_error at the first that is not what was written. One thread.

#include <microlith/persistence/internal/journal_lookup.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace microlith::internal {

/// `table` is for texts.
void check_row(std::string_view table, std::span<const std::byte> key,
               std::span<const std::byte> value);

/// `reached` is how far the projection has come that skipped the event: absent where that is not
/// known, or where the journal is another one; then only the record itself is looked at.
void check_skipped(std::span<const std::byte> key, std::span<const std::byte> value,
                   std::optional<std::uint64_t> reached, journal_lookup& journal);

/// Rows of inline projections, in the journal's environment. False where the table is none of
/// theirs.
bool check_inline(std::string_view table, std::span<const std::byte> key,
                  std::span<const std::byte> value, std::uint64_t journal_end);

}  // namespace microlith::internal
