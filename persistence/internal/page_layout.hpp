#pragma once

// What LMDB's pages look like (mdb.c, data format version 1: MDB_page, MDB_node, MDB_db). Native
// words and byte order, as LMDB itself has them. Constants and free functions; any thread.

#include <microlith/persistence/internal/page_file.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace microlith::internal::page_layout {

using word = std::size_t;

// Of a page: its number, a field that is 0, flags, then where the entries' offsets end and the
// entries begin. A long value's page has the number of its pages instead.
inline constexpr std::size_t head_bytes = sizeof(word) + 8;
inline constexpr std::size_t page_flags_at = sizeof(word) + 2;
inline constexpr std::size_t bounds_at = sizeof(word) + 4;
inline constexpr std::uint16_t branch_flag = 0x01;
inline constexpr std::uint16_t leaf_flag = 0x02;
inline constexpr std::uint16_t overflow_flag = 0x04;
inline constexpr std::uint16_t meta_flag = 0x08;
inline constexpr std::uint64_t first_tree_page = 2;

// Of an entry: size or child, in two halves, flags, size of the key.
inline constexpr std::size_t node_head_bytes = 8;
inline constexpr std::uint16_t node_overflows = 0x01;
inline constexpr std::uint16_t node_is_tree = 0x02;

// Of a tree, and of a meta page: after page head, magic, version, address and map size.
inline constexpr std::size_t tree_bytes = 8 + 5 * sizeof(word);
inline constexpr std::size_t trees_at = head_bytes + 8 + 2 * sizeof(word);
inline constexpr std::size_t max_depth = 32;
inline constexpr std::uint16_t integer_keys = 0x08;  // of a tree

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::uint16_t load_short(const std::byte* from) {
  return load<std::uint16_t>(from);
}

/// Two halves of 16 bits, the low one first.
inline std::uint64_t load_halves(const std::byte* from) {
  return std::uint64_t{load_short(from)} | std::uint64_t{load_short(from + 2)} << 16;
}

inline std::uint64_t child_of(const std::byte* node) {
  auto child = load_halves(node);
  if constexpr (sizeof(word) > 4)
    child |= std::uint64_t{load_short(node + 4)} << 32;
  return child;
}

inline page_tree tree_from(const std::byte* raw) {
  constexpr auto no_word = ~word{0};
  auto word_at = [&](std::size_t i) { return load<word>(raw + 8 + i * sizeof(word)); };
  return {.flags = load_short(raw + 4),
          .depth = load_short(raw + 6),
          .branch_pages = word_at(0),
          .leaf_pages = word_at(1),
          .overflow_pages = word_at(2),
          .entries = word_at(3),
          .root = word_at(4) == no_word ? no_page : word_at(4)};
}

}  // namespace microlith::internal::page_layout
