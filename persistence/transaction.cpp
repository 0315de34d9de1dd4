#include <microlith/persistence/error.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/row_checksum.hpp>
#include <microlith/persistence/internal/table_bank.hpp>
#include <microlith/persistence/table.hpp>
#include <microlith/persistence/transaction.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace microlith {

namespace internal {

void table_bank::refuse(std::string_view name) {
  throw storage_exception{
      {storage_error_kind::unusable,
       "the projection keeps no table " + std::string{name} + ": declare it with keeps()"}};
}

void refuse_row(std::string_view table, const std::string& why) {
  throw storage_exception{{storage_error_kind::damaged, "a row of table " + std::string{table} +
                                                            " cannot be read: " + why +
                                                            ". Rebuild the projection"}};
}

namespace {

std::span<const std::byte> checked_row(std::string_view table, std::span<const std::byte> key,
                                       std::span<const std::byte> value) {
  if (value.size() < row_checksum_bytes)
    refuse_row(table, "it is too short");
  auto row = value.subspan(row_checksum_bytes);
  if (load_le<std::uint32_t>(value.data()) != row_checksum(key, row))
    refuse_row(table, "its checksum does not fit");
  return row;
}

// Where pages are damaged a function on rows sees a storage_exception.
template <class F>
void looking(F look) {
  try {
    look();
  } catch (const lmdb_error& error) {
    throw row_failure{error};
  }
}

template <class F>
void guarding(MDB_txn* t, F look) {
  if (auto* guard = guard_of(t))
    looking([&] { look(*guard); });
}

// A cursor of a transaction that belongs to somebody else.
class row_cursor {
 public:
  row_cursor(MDB_txn* transaction, MDB_dbi table) : steps_{transaction, table} {
    if (int code = mdb_cursor_open(transaction, table, &cursor_); code != 0)
      fail(code);
  }
  row_cursor(const row_cursor&) = delete;
  row_cursor& operator=(const row_cursor&) = delete;
  ~row_cursor() { mdb_cursor_close(cursor_); }

  [[nodiscard]] bool move(MDB_cursor_op operation) {
    looking([&] { steps_.before(operation, key()); });
    int code = mdb_cursor_get(cursor_, &key_, &value_, operation);
    if (code != 0 && code != MDB_NOTFOUND)
      fail(code);
    return code == 0;
  }
  [[nodiscard]] bool seek(std::span<const std::byte> at_or_after) {
    key_ = to_val(at_or_after);
    return move(at_or_after.empty() ? MDB_FIRST : MDB_SET_RANGE);
  }
  [[nodiscard]] std::span<const std::byte> key() const { return to_span(key_); }
  [[nodiscard]] std::span<const std::byte> value() const { return to_span(value_); }

  [[noreturn]] static void fail(int code) {
    throw row_failure{lmdb_error{code, "a projection's rows cannot be read or written"}};
  }

 private:
  MDB_cursor* cursor_ = nullptr;
  guarded_steps steps_;
  MDB_val key_{};
  MDB_val value_{};
};

bool less(std::span<const std::byte> a, std::span<const std::byte> b) {
  int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
  return order != 0 ? order < 0 : a.size() < b.size();
}

}  // namespace
}  // namespace internal

using internal::row_cursor;

std::optional<std::span<const std::byte>> read_transaction::get(
    std::string_view table, std::span<const std::byte> key) const {
  auto in = tables_->find(table);
  internal::guarding(handle_, [&](auto& guard) { guard.before_key(handle_, in, key); });
  MDB_val k = internal::to_val(key);
  MDB_val value{};
  int code = mdb_get(handle_, in, &k, &value);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  if (code != 0)
    row_cursor::fail(code);
  return internal::checked_row(table, key, internal::to_span(value));
}

void read_transaction::scan(std::string_view table, std::span<const std::byte> from,
                            std::optional<std::span<const std::byte>> to, row_visitor visit) const {
  row_cursor cursor{handle_, tables_->find(table)};
  for (bool more = cursor.seek(from); more; more = cursor.move(MDB_NEXT)) {
    auto key = cursor.key();
    if (to && !internal::less(key, *to))
      return;
    if (!visit(key, internal::checked_row(table, key, cursor.value())))
      return;
  }
}

void read_transaction::scan_back(std::string_view table, std::span<const std::byte> from,
                                 std::optional<std::span<const std::byte>> to,
                                 row_visitor visit) const {
  row_cursor cursor{handle_, tables_->find(table)};
  bool more = to && cursor.seek(*to) ? cursor.move(MDB_PREV) : cursor.move(MDB_LAST);
  for (; more; more = cursor.move(MDB_PREV)) {
    auto key = cursor.key();
    if (internal::less(key, from))
      return;
    if (!visit(key, internal::checked_row(table, key, cursor.value())))
      return;
  }
}

std::uint64_t read_transaction::count(std::string_view table) const {
  MDB_stat stat{};
  if (int code = mdb_stat(handle_, tables_->find(table), &stat); code != 0)
    row_cursor::fail(code);
  return stat.ms_entries;
}

void write_transaction::put(std::string_view table, std::span<const std::byte> key,
                            const bytes& encoded) {
  auto in = tables_->find(table);
  internal::guarding(handle_, [&](auto& guard) { guard.before_key(handle_, in, key); });
  MDB_val k = internal::to_val(key);
  MDB_val value{encoded.size() + internal::row_checksum_bytes, nullptr};
  int code = mdb_put(handle_, in, &k, &value, MDB_RESERVE);
  if (code != 0)
    row_cursor::fail(code);
  auto* place = static_cast<std::byte*>(value.mv_data);
  internal::store_le(place, internal::row_checksum(key, encoded));
  std::copy(encoded.begin(), encoded.end(), place + internal::row_checksum_bytes);
}

bool write_transaction::erase(std::string_view table, std::span<const std::byte> key) {
  auto in = tables_->find(table);
  internal::guarding(handle_, [&](auto& guard) { guard.before_erasing(handle_, in); });
  MDB_val k = internal::to_val(key);
  int code = mdb_del(handle_, in, &k, nullptr);
  if (code != 0 && code != MDB_NOTFOUND)
    row_cursor::fail(code);
  return code == 0;
}

void write_transaction::clear(std::string_view table) {
  auto in = tables_->find(table);
  internal::guarding(handle_, [&](auto& guard) { guard.before_erasing(handle_, in); });
  if (int code = mdb_drop(handle_, in, 0); code != 0)
    row_cursor::fail(code);
}

}  // namespace microlith
