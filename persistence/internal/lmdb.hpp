#pragma once

// LMDB with owners: an environment, its transactions and cursors, errors as one exception type.
//
// Everything here throws `lmdb_error`; the classes of persistence/ catch it at their edges. An
// environment may be used from any thread, a transaction and its cursors from one at a time (read
// transactions are not tied to the thread that began them: MDB_NOTLS).
//
// The map grows: `environment::grow` by its owner when a write found it full, and by itself where
// another process has made it larger. Both wait for the transactions of this process to end, so
// nothing in a map may be kept longer than its transaction.

#include <microlith/persistence/error.hpp>
#include <microlith/persistence/internal/map_gate.hpp>
#include <microlith/persistence/internal/page_guard.hpp>

#include <lmdb.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace microlith::internal {

class lmdb_error : public std::runtime_error {
 public:
  lmdb_error(int code, std::string_view attempted);
  [[nodiscard]] int code() const { return code_; }
  /// Disk or map is full: nothing is broken, and room heals it.
  [[nodiscard]] bool out_of_space() const;
  /// A page is not what was written.
  [[nodiscard]] bool damaged() const { return code_ == MDB_CORRUPTED; }
  /// The map is full, and `environment::grow` may help.
  [[nodiscard]] bool map_full() const { return code_ == MDB_MAP_FULL; }

 private:
  int code_;
};

/// What LMDB says to a function on rows: the function sees a storage_exception.
class row_failure : public storage_exception {
 public:
  explicit row_failure(const lmdb_error& error)
      : storage_exception{{error.out_of_space() ? storage_error_kind::full
                           : error.damaged()    ? storage_error_kind::damaged
                                                : storage_error_kind::io,
                           error.what()}},
        code_{error.code()} {}
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

inline void check(int code, std::string_view attempted) {
  if (code != MDB_SUCCESS) [[unlikely]]
    throw lmdb_error{code, attempted};
}

[[nodiscard]] inline MDB_val to_val(std::span<const std::byte> data) {
  return {data.size(), const_cast<std::byte*>(data.data())};
}
[[nodiscard]] inline MDB_val to_val(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}
[[nodiscard]] inline std::span<const std::byte> to_span(const MDB_val& value) {
  return {static_cast<const std::byte*>(value.mv_data), value.mv_size};
}

/// How much address space an environment reserves at first where its owner does not say. `share`
/// is how many of its kind there may be in a process.
[[nodiscard]] std::size_t default_map_bytes(unsigned share);

/// Address space as the user of a journal wants it.
struct map_size {
  std::size_t reserve_bytes = 0;
  std::size_t limit_bytes = 0;
};

/// With what is sensible where the user says nothing (0); `share` as above.
[[nodiscard]] map_size sensible_map_size(map_size wanted, unsigned share = 1);
/// Of projections, snapshots and subscriptions: a 16th of what a journal reserves, each.
inline constexpr unsigned derived_map_share = 16;

struct environment_options {
  std::size_t map_bytes = 0;        ///< reserved at first; less where there is not as much
  std::size_t map_limit_bytes = 0;  ///< it grows up to there; not at all where that is less
  unsigned max_tables = 8;
  bool sync = true;
  /// A crash of the machine may undo the last transactions, but never breaks the file. For what can
  /// be derived again.
  bool sync_meta = true;
  /// Whether a page that is found damaged leaves a mark in the directory.
  bool mark_damage = true;
};

class environment {
 public:
  /// Makes the directory (mode 0700) and the files (mode 0600) if they are not there.
  environment(const std::filesystem::path& directory, const environment_options& options);
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;
  ~environment();

  [[nodiscard]] MDB_env* get() const { return env_; }
  [[nodiscard]] std::size_t map_bytes() const;
  /// Changes whenever the map may have moved; constant during a transaction.
  [[nodiscard]] std::uint64_t map_generation() const {
    return map_generation_.load(std::memory_order_acquire);
  }

  /// What looks at pages before LMDB does; null where all of them are written by this process.
  [[nodiscard]] page_guard* guard() const { return guard_.get(); }
  /// The pages of a table need no looking at.
  void trust(MDB_dbi table) const {
    if (guard_)
      guard_->trust(table);
  }

  /// Readers of processes that have died keep old pages from being used again. Whether there were
  /// any: there may be room now.
  [[nodiscard]] bool forget_dead_readers() const;

  /// Makes room, in the map or a larger one, after a write found it full. Not with a transaction
  /// open on the calling thread. False where it has its limit, where there is no more address
  /// space, and where another transaction of this process does not end soon.
  [[nodiscard]] bool grow();

 private:
  friend class lmdb_transaction;
  [[nodiscard]] const std::byte* begin_of_file() const;
  int remap(std::size_t bytes) const;
  int follow_growth() const;
  void enter() const { gate_.enter(); }
  void leave() const { gate_.leave(); }

  MDB_env* env_ = nullptr;
  std::unique_ptr<page_guard> guard_;
  std::size_t map_limit_bytes_ = 0;
  mutable map_gate gate_;
  mutable std::atomic<std::uint64_t> map_generation_{1};
  mutable std::atomic<bool> map_lost_{false};
};

/// That of a transaction's environment.
[[nodiscard]] inline page_guard* guard_of(MDB_txn* t) {
  return static_cast<const environment*>(mdb_env_get_userctx(mdb_txn_env(t)))->guard();
}

/// Does it again, in a larger map, where it found the map full. `f` begins its own transaction.
template <class F>
auto growing(environment& env, F f) -> decltype(f()) {
  for (;;) {
    try {
      return f();
    } catch (const lmdb_error& error) {
      if (!error.map_full())
        throw;
      if (!env.grow())
        throw;
    }
  }
}

/// Aborts when destroyed without a commit.
class lmdb_transaction {
 public:
  enum class access { read, write };

  lmdb_transaction(const environment& env, access wanted);
  /// Within another one, which must not be used until this one ends.
  explicit lmdb_transaction(MDB_txn* parent);
  lmdb_transaction(const lmdb_transaction&) = delete;
  lmdb_transaction& operator=(const lmdb_transaction&) = delete;
  ~lmdb_transaction() { abort(); }

  [[nodiscard]] MDB_txn* get() const { return txn_; }
  [[nodiscard]] MDB_dbi open_table(const char* name, unsigned flags);
  [[nodiscard]] std::optional<std::span<const std::byte>> find(
      MDB_dbi table, std::span<const std::byte> key) const;
  [[nodiscard]] std::optional<std::span<const std::byte>> find(MDB_dbi table,
                                                               std::string_view key) const;
  void put(MDB_dbi table, std::span<const std::byte> key, std::span<const std::byte> value,
           unsigned flags = 0);
  void put(MDB_dbi table, std::string_view key, std::span<const std::byte> value);
  /// Whether there was one.
  bool erase(MDB_dbi table, std::span<const std::byte> key);
  /// All entries of a table.
  void empty(MDB_dbi table);
  void commit();
  void abort();
  /// Of a read transaction: lets go of its view of the data, and takes a new one.
  void reset();
  void renew();

 private:
  template <class F>
  void begin(F begin_or_renew);
  void leave();

  const environment* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
  bool inside_ = false;  ///< of the environment's gate
};

class lmdb_cursor {
 public:
  lmdb_cursor(const lmdb_transaction& transaction, MDB_dbi table);
  lmdb_cursor(lmdb_cursor&& other) noexcept;
  lmdb_cursor& operator=(lmdb_cursor&&) = delete;
  ~lmdb_cursor();

  /// False where there is nothing (any more). `key` is also the argument of MDB_SET_RANGE.
  [[nodiscard]] bool move(MDB_cursor_op operation);
  [[nodiscard]] bool seek(std::span<const std::byte> at_or_after);
  void put(std::span<const std::byte> key, std::span<const std::byte> value, unsigned flags);
  [[nodiscard]] std::span<const std::byte> key() const { return to_span(key_); }
  [[nodiscard]] std::span<const std::byte> value() const { return to_span(value_); }

 private:
  MDB_cursor* cursor_ = nullptr;
  guarded_steps steps_;
  MDB_val key_{};
  MDB_val value_{};
};

}  // namespace microlith::internal
