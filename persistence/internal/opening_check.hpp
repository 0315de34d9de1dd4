#pragma once

// What LMDB comes by when it opens an environment, looks for its tables and appends to them, looked
// at before without mapping it: the meta pages, the main table, the list of free pages, small
// tables as a whole, and of large ones the way to their end. LMDB dies of a signal where some of
// that is damaged.
//
// It takes a few reads of pages, whatever the size of the file. Free functions; any thread, while
// nobody writes.

#include <filesystem>
#include <string>
#include <string_view>

namespace microlith::internal {

/// What is wrong; empty where nothing is. Of the table that is `read_with_care` only the way to its
/// end is looked at, however small it is: what is damaged elsewhere does no harm. Throws
/// page_file_error where the file cannot be read.
[[nodiscard]] std::string opening_problem(const std::filesystem::path& data_file,
                                          std::string_view read_with_care = {});

/// Whether LMDB can open the environment in a directory without dying of it, and no page of it has
/// been found damaged before (page_guard); so where there is none.
[[nodiscard]] bool can_be_mapped(const std::filesystem::path& directory);

}  // namespace microlith::internal
