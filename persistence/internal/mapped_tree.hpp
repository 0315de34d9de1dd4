#pragma once

// One tree of an LMDB environment, looked up in its map without LMDB: every page and entry on the
// way is checked before it is followed, so that a damaged one is a page_error and never a signal,
// which LMDB's own cursors do not promise.
//
// A read transaction of LMDB's keeps the pages as they are, and must be open for as long as this is
// used. One thread at a time.

#include <microlith/persistence/internal/page_file.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace microlith::internal {

/// The map, as far as pages are in use.
struct mapped_pages {
  const std::byte* begin = nullptr;
  std::uint64_t count = 0;
  std::uint64_t page_bytes = 0;
};

/// Where a map begins, from a short value on a page of it: pages know their numbers.
[[nodiscard]] const std::byte* begin_of_map(std::span<const std::byte> value,
                                            std::uint64_t page_bytes);

class mapped_tree {
 public:
  mapped_tree() = default;
  mapped_tree(const mapped_pages& pages, const page_tree& tree) : pages_{pages}, tree_{tree} {}

  /// To the entry with this key; false where there is none.
  bool find(std::span<const std::byte> key);
  /// To the next entry, where it is on the same page or on the one behind it; otherwise false:
  /// `find` it.
  bool next_nearby();

  // Of the entry that was found; they live as long as the transaction.
  [[nodiscard]] std::span<const std::byte> key() const { return key_; }
  [[nodiscard]] std::span<const std::byte> value() const { return value_; }

 private:
  struct node {
    std::span<const std::byte> key;
    const std::byte* begin = nullptr;
  };

  struct open_page {
    const std::byte* begin = nullptr;
    std::uint64_t number = 0;
    std::size_t upper = 0;
    std::size_t count = 0;
    std::size_t at = 0;
  };

  [[nodiscard]] const std::byte* page_at(std::uint64_t number) const;
  [[nodiscard]] open_page enter(std::uint64_t number, std::uint16_t flags) const;
  [[nodiscard]] node node_at(const open_page& page, std::size_t index) const;
  void take(std::size_t index);

  mapped_pages pages_;
  page_tree tree_;
  open_page branch_;  ///< above the leaf; none where the leaf is the root
  open_page leaf_;
  std::span<const std::byte> key_;
  std::span<const std::byte> value_;
};

}  // namespace microlith::internal
