#pragma once

// Looks at the pages of an environment before LMDB does: on the way to a key, the first time that
// it leads over them. LMDB follows what is on a page without a look, and dies of a damaged one;
// here it is an lmdb_error, and a mark in the directory, so that what can be derived again is
// thrown away at the next opening.
//
// What has been looked at once is not looked at again, and what this process has written need not
// be: a table that was empty or small when it was first asked for costs nothing from then on, and
// any other one more descent for each key. The main table and the free pages are looked at before
// the environment is opened (opening_check).
//
// A write transaction is seen as it was when it began: that is where the pages come from that it
// changes. Where entries are erased LMDB looks at neighbours, too, and at those of pages that were
// merged: so a table is looked at as a whole before the first one is.
//
// Any thread, while `map_at`, `watch` and the constructor are for one that is alone.

#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/seen_pages.hpp>

#include <lmdb.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

/// A file beside data.mdb: a page of it was found damaged.
inline constexpr std::string_view damage_mark = "damaged";

/// A table of so many pages is looked at as a whole, at once.
inline constexpr std::uint64_t small_table_pages = 64;

class page_guard {
 public:
  /// `map` is where the map begins. An empty `directory`: no mark is left.
  page_guard(MDB_env* env, const std::byte* map, std::size_t tables,
             std::filesystem::path directory);
  page_guard(const page_guard&) = delete;
  page_guard& operator=(const page_guard&) = delete;

  /// The map has moved.
  void map_at(const std::byte* begin) { map_.store(begin, std::memory_order_release); }
  /// From now on the pages of this table are looked at.
  void watch(MDB_dbi table, std::string_view name);
  /// Its pages were looked at, or are read by somebody who does so.
  void trust(MDB_dbi table);

  /// Before LMDB goes to a key, to change or to find it.
  void before_key(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key);
  /// Before it erases entries.
  void before_erasing(MDB_txn* t, MDB_dbi table);

  // Before a cursor moves. The result is the last key of the page that it comes to, where that is
  // known: up to there it may go on by itself.
  using edge = const std::byte*;
  edge before_seek(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key);
  edge before_first(MDB_txn* t, MDB_dbi table);
  void before_last(MDB_txn* t, MDB_dbi table);
  edge before_next(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key);
  void before_previous(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key);

  [[nodiscard]] bool trusts(MDB_dbi table) const {
    return tables_[table].state.load(std::memory_order_acquire) == care::none;
  }
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }

 private:
  enum class care : std::uint8_t { none, unknown, needed };
  struct watched {
    std::string name;
    std::atomic<care> state{care::none};
  };

  template <class F>
  void look(MDB_txn* t, MDB_dbi table, F f);
  [[nodiscard]] page_tree tree_of(MDB_txn* t, const watched& table) const;

  MDB_env* env_;
  std::filesystem::path directory_;
  std::size_t page_bytes_ = 0;
  std::atomic<const std::byte*> map_;
  std::vector<watched> tables_;
  seen_pages seen_;
};

/// The steps of one cursor: most of them stay on a page.
class guarded_steps {
 public:
  guarded_steps(MDB_txn* t, MDB_dbi table);

  /// Before the cursor does `operation`: MDB_SET_RANGE with a key, MDB_NEXT or MDB_PREV from one,
  /// MDB_FIRST or MDB_LAST.
  void before(MDB_cursor_op operation, std::span<const std::byte> key) {
    if (guard_ != nullptr)
      look(operation, key);
  }

 private:
  void look(MDB_cursor_op operation, std::span<const std::byte> key);

  page_guard* guard_;  ///< null where nothing need be looked at
  MDB_txn* transaction_;
  MDB_dbi table_;
  page_guard::edge edge_ = nullptr;
};

}  // namespace microlith::internal
