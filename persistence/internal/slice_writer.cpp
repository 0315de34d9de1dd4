#include <microlith/persistence/internal/slice_writer.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

constexpr std::size_t bytes_an_entry = 10;  // LMDB's own

}  // namespace

slice_writer::slice_writer(const environment& env, const slicing& slices)
    : environment_{env}, slices_{slices} {
  begin();
}

void slice_writer::begin() {
  began_ = std::chrono::steady_clock::now();
  transaction_.emplace(environment_, lmdb_transaction::access::write);
}

void slice_writer::open(MDB_dbi table) {
  table_ = table;
  cursor_.reset();
  cursor_.emplace(*transaction_, table_);
  grows_ = !cursor_->move(MDB_LAST);
  if (!grows_)
    last_key_.assign(cursor_->key().begin(), cursor_->key().end());
}

void slice_writer::put(std::span<const std::byte> key, std::span<const std::byte> value) {
  if (written_bytes_ >= slices_.bytes) {
    commit();
    if (slices_.pause)
      slices_.pause(std::chrono::steady_clock::now() - began_);
    begin();
    cursor_.emplace(*transaction_, table_);
  }
  // Keys come in order: once one is past the table's last, so are all that follow.
  grows_ = grows_ ||
           std::lexicographical_compare(last_key_.begin(), last_key_.end(), key.begin(), key.end());
  cursor_->put(key, value, grows_ ? MDB_APPEND : 0);
  written_bytes_ += key.size() + value.size() + bytes_an_entry;
}

void slice_writer::commit() {
  cursor_.reset();
  transaction_->commit();
  transaction_.reset();
  written_bytes_ = 0;
}

}  // namespace microlith::internal
