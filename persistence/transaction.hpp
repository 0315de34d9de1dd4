#pragma once

// What a function that reads or writes projection rows is given.
//
// A read transaction sees the tables as they were when it began, whatever is written meanwhile.
// Both are valid only while the function that was handed them runs, and on its thread. Keep reads
// short (100 ms at most): a reader that stays keeps old pages from being used again. Rows that
// cannot be read or written throw storage_exception; the store that runs the function catches it.

#include <microlith/messages/codec.hpp>
#include <microlith/persistence/function_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

struct MDB_txn;

namespace microlith {

namespace internal {
class table_bank;
}

using row_visitor =
    function_ref<bool(std::span<const std::byte> key, std::span<const std::byte> row)>;

class read_transaction {
 public:
  read_transaction(MDB_txn* handle, const internal::table_bank& tables)
      : handle_{handle}, tables_{&tables} {}
  read_transaction(const read_transaction&) = delete;
  read_transaction& operator=(const read_transaction&) = delete;

  /// The encoded row, valid while the transaction is and nothing is written.
  [[nodiscard]] std::optional<std::span<const std::byte>> get(std::string_view table,
                                                              std::span<const std::byte> key) const;

  /// Visits rows with `from <= key`, and `key < to` where `to` is given, in order of keys. The
  /// visitor may write to any table but the scanned one.
  void scan(std::string_view table, std::span<const std::byte> from,
            std::optional<std::span<const std::byte>> to, row_visitor visit) const;

  /// The same rows from the last to the first.
  void scan_back(std::string_view table, std::span<const std::byte> from,
                 std::optional<std::span<const std::byte>> to, row_visitor visit) const;

  [[nodiscard]] std::uint64_t count(std::string_view table) const;

 protected:
  MDB_txn* handle_;
  const internal::table_bank* tables_;
};

class write_transaction : public read_transaction {
 public:
  using read_transaction::read_transaction;

  /// Writes or replaces a row. `encoded` is a buffer to reuse: it holds the encoded row.
  void put(std::string_view table, std::span<const std::byte> key, const bytes& encoded);

  /// Whether there was one.
  bool erase(std::string_view table, std::span<const std::byte> key);

  /// Empties the table.
  void clear(std::string_view table);

  /// A buffer to encode a row into, empty.
  [[nodiscard]] bytes& scratch() {
    scratch_.clear();
    return scratch_;
  }

 private:
  bytes scratch_;
};

}  // namespace microlith
