#pragma once

// Writes sorted entries in transactions of bounded size, one after the other: a table at a time,
// each table's keys in order. One thread; throws lmdb_error, and then everything but the current
// transaction stays written.

#include <microlith/messages/codec.hpp>
#include <microlith/persistence/internal/lmdb.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>

namespace microlith::internal {

struct slicing {
  std::size_t bytes = 0;  ///< of a slice
  /// Called between slices with the time that the last one took: may wait. May be empty.
  std::function<void(std::chrono::nanoseconds)> pause = {};
};

class slice_writer {
 public:
  slice_writer(const environment& env, const slicing& slices);

  /// The table that is written from now on.
  void open(MDB_dbi table);
  /// A key that is greater than all others of its table goes to the end of the last page, which is
  /// quick and leaves full pages behind.
  void put(std::span<const std::byte> key, std::span<const std::byte> value);
  /// For what must show together with the last entries.
  [[nodiscard]] lmdb_transaction& transaction() { return *transaction_; }
  void commit();

 private:
  void begin();

  const environment& environment_;
  const slicing& slices_;
  std::chrono::steady_clock::time_point began_;
  std::size_t written_bytes_ = 0;
  MDB_dbi table_ = 0;
  std::optional<lmdb_transaction> transaction_;
  std::optional<lmdb_cursor> cursor_;
  bytes last_key_;      ///< of the table before it was opened
  bool grows_ = false;  ///< the keys are past that one
};

}  // namespace microlith::internal
