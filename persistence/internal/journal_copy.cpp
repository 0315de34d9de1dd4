#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/journal_copy.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/internal/witness.hpp>

#include <array>

namespace microlith::internal {

namespace {

// A transaction of the copy: much for the disk, little for memory.
constexpr std::uint64_t events_per_transaction = 50'000;
constexpr std::uint64_t bytes_per_transaction = std::uint64_t{32} << 20;

}  // namespace

copy_report journal_copy::write(const std::filesystem::path& folder, message_id epoch,
                                const copy_progress& progress) {
  from_.refresh();
  last_ = from_.state().last_position;
  auto wanted_hash = from_.state().running_hash;
  done_ = 0;
  hash_ = 0;
  {
    auto map = sensible_map_size({});
    // Synced once, at the end: until then it is no journal to anybody.
    environment to{folder,
                   {.map_bytes = map.reserve_bytes,
                    .map_limit_bytes = map.limit_bytes,
                    .max_tables = 4,
                    .sync = false}};
    growing(to, [&] { begin(to, epoch); });
    while (done_ < last_) {
      auto events_before = done_;
      auto hash_before = hash_;
      growing(to, [&] {
        done_ = events_before;
        hash_ = hash_before;
        write_some(to);
      });
      if (progress)
        progress(done_, last_);
    }
    if (hash_ != wanted_hash)
      throw storage_exception{from_.damaged("its events are not those that were written")};
    check(mdb_env_sync(to.get(), 1), "sync the copy");
  }
  std::filesystem::remove(folder / "lock.mdb");
  write_witness(folder, epoch);
  sync_names(folder);
  copy_report report;
  report.events = last_;
  report.file_bytes = std::filesystem::file_size(folder / "data.mdb");
  report.epoch = epoch;
  return report;
}

void journal_copy::begin(environment& to, message_id epoch) {
  lmdb_transaction t{to, lmdb_transaction::access::write};
  (void)t.open_table(records_table_name, MDB_CREATE);
  auto types = t.open_table(types_table_name, MDB_CREATE);
  auto main = t.open_table(nullptr, 0);
  t.put(main, journal_meta_key, encode_meta({from_.meta().format, epoch, from_.meta().secret}));
  for (const auto& type : from_.types()) {
    std::array<std::byte, 4> key;
    store_be(key.data(), type->id);
    t.put(types, key, encode_type(*type));
  }
  t.commit();
}

void journal_copy::write_some(environment& to) {
  lmdb_transaction t{to, lmdb_transaction::access::write};
  auto records = t.open_table(records_table_name, 0);
  std::uint64_t bytes = 0;
  {
    lmdb_cursor cursor{t, records};
    parsed_record record;
    for (std::uint64_t events = 0;
         done_ < last_ && events < events_per_transaction && bytes < bytes_per_transaction;
         ++events) {
      if (auto problem = from_.load(done_ + 1, record))
        throw storage_exception{*problem};
      std::array<std::byte, 8> key;
      store_be(key.data(), done_ + 1);
      cursor.put(key, from_.loaded(), MDB_APPEND);
      hash_ = extend_running_hash(hash_, record.checksum);
      bytes += from_.loaded().size();
      ++done_;
    }
  }
  t.put(t.open_table(nullptr, 0), journal_state_key, encode_journal_state({done_, hash_}));
  t.commit();
}

void journal_copy::write_witness(const std::filesystem::path& folder, message_id epoch) const {
  page_file file{folder / "data.mdb"};
  auto seen = file.look();
  if (!seen)
    return;
  witness beside{folder / "witness"};
  beside.write({.epoch = epoch,
                .position = last_,
                .running_hash = hash_,
                .transaction = seen->transaction,
                .meta_hash = seen->hash});
  beside.sync();
}

}  // namespace microlith::internal
