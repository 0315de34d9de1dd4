#pragma once

// Every page of one LMDB environment, as its newest commit has it: each tree walked from end to
// end, what it says of itself compared with what is there, and each page accounted for exactly
// once, as used or as free.
//
// Throws page_error at the first thing that is wrong; the caller asks then whether the snapshot was
// still intact. One thread.

#include <microlith/persistence/function_ref.hpp>
#include <microlith/persistence/internal/page_file.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace microlith::internal {

class environment_check final : public page_listener {
 public:
  using entry_visitor = function_ref<void(std::string_view table, std::span<const std::byte> key,
                                          std::span<const std::byte> value)>;

  environment_check(const page_file& file, const page_snapshot& seen);

  /// Both meta pages, the file's size, the main table and every named one but `skipped`. The
  /// visitor sees the entries of named tables, and plain keys of the main one under the empty name.
  void walk(entry_visitor visit, std::string_view skipped = {});
  /// One tree, whose name is for texts; `visit` as above.
  void walk_tree(std::string_view name, const page_tree& tree, entry_visitor visit);
  /// After a walk by somebody else.
  void compare(std::string_view name, const page_tree& tree, const page_cursor::pages_seen& seen,
               std::uint64_t entries) const;
  /// The free pages.
  void walk_free();
  /// The same; then no page may be left. After all trees have been walked.
  void account();

  void page(std::uint64_t number, std::uint64_t count) override;

 private:
  void check_meta_pages() const;

  const page_file* file_;
  page_snapshot snapshot_;
  std::vector<bool> taken_;
};

/// How often a walk is tried where a writer is quicker.
inline constexpr unsigned sensible_walks = 10;

/// Walks again what a writer rewrites meanwhile, a few times. The text of what is wrong; empty
/// where nothing is. `overtaken` tells that no walk was quick enough.
struct environment_result {
  std::string problem;
  bool overtaken = false;
};
[[nodiscard]] environment_result check_steadily(
    const page_file& file, function_ref<void(const page_snapshot&, environment_check&)> walk,
    unsigned walks = sensible_walks);

}  // namespace microlith::internal
