#pragma once

// What an LMDB data file says of itself, read without mapping it: LMDB dies of a signal where a
// mapped file is shorter than it should be, and goes back one commit without a word where its
// newest meta page is damaged.
//
// The layout is LMDB's own (mdb.c, data format version 1: MDB_page, MDB_meta, MDB_db). Free
// functions; any thread.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace microlith::internal {

inline constexpr std::uint32_t lmdb_magic = 0xBEEFC0DE;
inline constexpr std::uint32_t lmdb_data_version = 1;

/// One of the two meta pages; commits take turns.
struct meta_page {
  std::uint64_t number = 0;  ///< 0 or 1
  std::uint64_t transaction = 0;
  std::uint64_t last_page = 0;  ///< the file holds pages 0 to this one
  std::uint64_t page_bytes = 0;
  std::uint64_t main_root = 0;   ///< page
  std::uint16_t main_depth = 0;  ///< 1: the main table is that one page
  /// Of all that means anything on this page and, where the main table is one page, on that.
  std::uint64_t hash = 0;
};

struct data_file_state {
  std::uint64_t file_bytes = 0;
  /// Absent where neither meta page is one.
  std::optional<meta_page> newest;
};

/// Absent where there is no file, or an empty one. Throws std::filesystem::filesystem_error where
/// there is something that cannot be looked at: a file that may not be read is not one that is
/// gone.
[[nodiscard]] std::optional<data_file_state> inspect_data_file(const std::filesystem::path& file);

/// The newer of the two, from an open file; absent where neither is one.
[[nodiscard]] std::optional<meta_page> newest_meta_page(int file);

/// The meta page of one transaction, from an open file; absent where it holds another.
[[nodiscard]] std::optional<meta_page> read_meta_page(int file, std::uint64_t transaction,
                                                      std::uint64_t page_bytes);

}  // namespace microlith::internal
