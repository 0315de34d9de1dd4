#pragma once

// From the root of a table to a leaf in LMDB's map, every page looked at the first time that a way
// leads over it. A page that cannot be what it should is a page_error.
//
// A transaction of LMDB's keeps the pages as they are, and must be open for as long as this is
// used. One thread at a time, while `seen` may be shared.

#include <microlith/persistence/internal/mapped_tree.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/seen_pages.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace microlith::internal {

class guarded_way {
 public:
  /// Of a tree that has a root.
  guarded_way(const mapped_pages& pages, const page_tree& tree, seen_pages& seen);

  /// To the leaf where a key is, or would be.
  void to(std::span<const std::byte> key);
  void to_first();
  void to_last();

  /// To the leaf behind this one, or before it; false where there is none.
  bool to_next_leaf();
  bool to_previous_leaf();

  // Of the leaf.
  [[nodiscard]] std::span<const std::byte> first_key() const { return key_at(levels_[depth_], 0); }
  [[nodiscard]] std::span<const std::byte> last_key() const {
    return key_at(levels_[depth_], levels_[depth_].count - 1);
  }

 private:
  struct level {
    const std::byte* page = nullptr;
    std::size_t count = 0;
    std::size_t at = 0;
    // Keys on it are from the one to before the other; empty: not known.
    std::span<const std::byte> from;
    std::span<const std::byte> to;
  };

  [[nodiscard]] bool at_leaf() const { return depth_ + 1 == tree_.depth; }
  [[nodiscard]] static const std::byte* entry_at(const level& of, std::size_t index);
  [[nodiscard]] static std::span<const std::byte> key_at(const level& of, std::size_t index);

  void begin();
  void descend(std::size_t index);
  void enter(std::size_t depth, std::uint64_t number, std::span<const std::byte> from,
             std::span<const std::byte> to);
  void look_at(level& here, std::uint64_t number, bool leaf) const;
  void look_at_long_value(std::uint64_t number, std::uint64_t bytes) const;

  mapped_pages pages_;
  page_tree tree_;
  seen_pages* seen_;
  std::size_t depth_ = 0;
  std::array<level, page_layout::max_depth> levels_;
};

}  // namespace microlith::internal
