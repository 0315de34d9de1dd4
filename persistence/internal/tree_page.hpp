#pragma once

// Whether bytes can be a page of a tree of LMDB's: what a page says of itself, where its entries
// are, and whether all of them lie within it. And the order of keys. Free functions; any thread.

#include <microlith/persistence/internal/page_file.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace microlith::internal {

/// What a page may hold beside keys.
enum class tree_page : std::uint8_t { branch, leaf, leaf_with_trees };

/// Throws the page_error of a page.
[[noreturn]] void refuse_page(std::uint64_t number, const std::string& what);

/// How many entries are on the page with this number. Throws page_error where it is none. Of keys
/// it says only that they are there, of long values nothing.
[[nodiscard]] std::size_t check_tree_page(std::span<const std::byte> page, std::uint64_t number,
                                          tree_page kind);

/// As LMDB orders keys: less than 0, 0, or greater.
[[nodiscard]] int compare_keys(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace microlith::internal
