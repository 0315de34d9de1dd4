#pragma once

// The journal's tables as its data file holds them, read page by page: what reading beside a node,
// verifying and copying have in common. Throws page_error, page_file_error and storage_exception;
// one thread at a time.

#include <microlith/persistence/error.hpp>
#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/record_layout.hpp>
#include <microlith/persistence/internal/stored_format.hpp>
#include <microlith/persistence/internal/witness.hpp>
#include <microlith/persistence/record.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace microlith::internal {

class journal_pages {
 public:
  /// Of the folder that holds data.mdb. Throws storage_exception where it holds no journal.
  explicit journal_pages(const std::filesystem::path& directory);

  /// Takes a new look at the newest commit. Throws storage_exception where it is damaged.
  void refresh();

  [[nodiscard]] const page_file& file() const { return file_; }
  [[nodiscard]] const page_snapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] bool intact() const { return file_.intact(snapshot_); }
  [[nodiscard]] const journal_meta& meta() const { return meta_; }
  [[nodiscard]] const journal_state& state() const { return state_; }
  [[nodiscard]] const page_tree& records() const { return records_; }
  [[nodiscard]] const page_tree& types_tree() const { return types_tree_; }
  [[nodiscard]] const std::vector<std::unique_ptr<stored_type>>& types() const { return types_; }

  /// The record at a position up to the last; lives until the next call. Positions in a row are
  /// quick. Takes a new look where pages have been used again meanwhile.
  [[nodiscard]] std::optional<storage_error> load(std::uint64_t position, parsed_record& out);

  /// Its bytes.
  [[nodiscard]] std::span<const std::byte> loaded() const { return loaded_; }

  [[nodiscard]] storage_error damaged(const std::string& what, std::uint64_t position = 0) const;

 private:
  void look();
  void compare_with(const witnessed& acknowledged) const;
  [[nodiscard]] std::string find_record(std::uint64_t position, parsed_record& out);

  std::filesystem::path directory_;
  page_file file_;
  page_snapshot snapshot_;
  journal_meta meta_;
  journal_state state_;
  page_tree records_;
  page_tree types_tree_;
  std::vector<std::unique_ptr<stored_type>> types_;
  std::optional<page_cursor> cursor_;
  std::span<const std::byte> loaded_;
  std::uint64_t at_ = 0;  ///< where the cursor is; 0: nowhere
};

}  // namespace microlith::internal
