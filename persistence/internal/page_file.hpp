#pragma once

// LMDB's data file, read page by page with pread: nothing is mapped, locked or written, so whatever
// is in the file, and whatever happens to it meanwhile, ends in a value and never in a signal.
//
// The price: nobody keeps the pages of a snapshot from being used again. LMDB gives a page that a
// commit has freed to the third commit after the snapshot at the earliest, so what was read of a
// snapshot is good while `intact` says so afterwards; otherwise it is read again from a newer one.
//
// The layout is LMDB's own (mdb.c, data format version 1), see data_file.hpp. Errors are thrown as
// page_error and caught at the edges of persistence/. One thread at a time.

#include <microlith/messages/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// What is read is not a page of a tree. Means damage only where the snapshot is still intact.
class page_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The file cannot be opened or read.
class page_file_error : public std::runtime_error {
 public:
  page_file_error(int code, const std::string& attempted);
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

inline constexpr std::uint64_t no_page = ~std::uint64_t{0};

/// MDB_db: one tree.
struct page_tree {
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  std::uint64_t root = no_page;

  [[nodiscard]] std::uint64_t pages() const { return branch_pages + leaf_pages + overflow_pages; }
};

/// What the newest meta page says.
struct page_snapshot {
  std::uint64_t transaction = 0;
  std::uint64_t last_page = 0;
  std::uint64_t page_bytes = 0;
  page_tree free;
  page_tree main;
  std::uint64_t hash = 0;  ///< as meta_page::hash
};

class page_file {
 public:
  /// Throws page_file_error where it cannot be opened.
  explicit page_file(std::filesystem::path file);
  page_file(const page_file&) = delete;
  page_file& operator=(const page_file&) = delete;
  ~page_file();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::uint64_t bytes() const;

  /// Absent where neither meta page is one.
  [[nodiscard]] std::optional<page_snapshot> look() const;
  /// Whether no page of the snapshot can have been written to since.
  [[nodiscard]] bool intact(const page_snapshot& seen) const;

  /// Reads whole pages from a number on. Throws page_error where the file ends before.
  void read(const page_snapshot& seen, std::uint64_t page, std::span<std::byte> out) const;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

/// Told of every page that a walk comes by: its number, and how many follow one another.
class page_listener {
 public:
  virtual void page(std::uint64_t number, std::uint64_t count) = 0;

 protected:
  ~page_listener() = default;
};

/// Of tables and states, which have names.
[[nodiscard]] inline std::span<const std::byte> as_key(std::string_view name) {
  return std::as_bytes(std::span{name.data(), name.size()});
}

/// Walks the entries of a tree in order, and checks every page that it comes by. What it hands out
/// lives until it moves.
class page_cursor {
 public:
  /// `integer_keys`: of LMDB's own table of free pages.
  page_cursor(const page_file& file, const page_snapshot& seen, const page_tree& tree,
              page_listener* listener = nullptr, bool integer_keys = false);

  /// To the first entry at or after the key; false where there is none.
  bool seek(std::span<const std::byte> key);
  bool first();
  bool last();
  bool next();

  [[nodiscard]] std::span<const std::byte> key() const { return key_; }
  /// Throws page_error where it is said to lie in pages that are not there.
  [[nodiscard]] std::span<const std::byte> value();
  /// The tree that the entry describes, where it is one.
  [[nodiscard]] std::optional<page_tree> tree() const;

  struct pages_seen {
    std::uint64_t branches = 0;
    std::uint64_t leaves = 0;
    std::uint64_t overflows = 0;
  };
  /// Since it was made; after a whole walk these are the tree's.
  [[nodiscard]] const pages_seen& seen() const { return pages_seen_; }

 private:
  struct level {
    bytes page;
    std::size_t at = 0;
    std::size_t count = 0;
    // Keys below it are from the one to before the other; empty: not known.
    bytes from;
    bytes to;
  };
  struct node {
    std::span<const std::byte> key;
    std::uint16_t flags = 0;
    std::uint64_t child = 0;  ///< in a branch
    std::span<const std::byte> data;
    std::uint64_t data_bytes = 0;  ///< of the value, wherever it is
  };

  void load(std::size_t depth, std::uint64_t page);
  void load_below(std::size_t depth);
  bool descend(std::size_t from_depth, bool to_last);
  void take_key();
  [[nodiscard]] node node_at(const level& l, std::size_t index) const;
  void check(std::size_t depth, std::uint64_t page);
  [[nodiscard]] int compare(std::span<const std::byte> a, std::span<const std::byte> b) const;
  [[noreturn]] static void fail(std::uint64_t page, const std::string& what);

  const page_file* file_;
  page_snapshot snapshot_;
  page_listener* listener_;
  bool integer_keys_;
  bool holds_trees_;  ///< only the main table does
  std::uint64_t root_;
  std::vector<level> levels_;  ///< as many as the tree is deep
  std::span<const std::byte> key_;
  pages_seen pages_seen_;
  bytes overflow_;
};

/// What is wrong with the two meta pages of the snapshot's file; empty where nothing is. The older
/// one counts, too: LMDB refuses a file where it is none.
[[nodiscard]] std::string meta_page_problem(const page_file& file, const page_snapshot& seen);

/// The tree of a named table; absent where there is none.
[[nodiscard]] std::optional<page_tree> find_tree(const page_file& file, const page_snapshot& seen,
                                                 std::string_view name);

}  // namespace microlith::internal
