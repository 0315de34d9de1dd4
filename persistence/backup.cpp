#include <microlith/persistence/backup.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/journal_pages.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/internal/witness.hpp>
#include <microlith/persistence/owner.hpp>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

namespace microlith {

namespace {

using namespace internal;
using path = std::filesystem::path;

// A transaction of the copy: much for the disk, little for memory.
constexpr std::uint64_t events_per_transaction = 50'000;
constexpr std::uint64_t bytes_per_transaction = std::uint64_t{32} << 20;

/// A folder that is taken away again unless it is kept.
class unfinished_folder {
 public:
  explicit unfinished_folder(path folder) : folder_{std::move(folder)} {
    std::filesystem::remove_all(folder_);
    make_directory(folder_);
  }
  unfinished_folder(const unfinished_folder&) = delete;
  unfinished_folder& operator=(const unfinished_folder&) = delete;
  ~unfinished_folder() {
    std::error_code ignored;
    if (!kept_)
      std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const path& folder() const { return folder_; }

  void keep_as(const path& name) {
    std::filesystem::rename(folder_, name);
    kept_ = true;
  }

 private:
  path folder_;
  bool kept_ = false;
};

class journal_copy {
 public:
  journal_copy(const path& from, path folder)
      : from_{from / "journal"},
        last_{from_.state().last_position},
        wanted_hash_{from_.state().running_hash},
        folder_{std::move(folder)} {}

  [[nodiscard]] copy_report write(message_id epoch, const copy_progress& progress) {
    {
      auto map = sensible_map_size({});
      // Synced once, at the end: until then it is no journal to anybody.
      environment to{folder_,
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
      if (hash_ != wanted_hash_)
        throw storage_exception{from_.damaged("its events are not those that were written")};
      check(mdb_env_sync(to.get(), 1), "sync the copy");
    }
    std::filesystem::remove(folder_ / "lock.mdb");
    write_witness(epoch);
    sync_names(folder_);
    return {.events = last_,
            .file_bytes = std::filesystem::file_size(folder_ / "data.mdb"),
            .epoch = epoch};
  }

  [[nodiscard]] message_id epoch() const { return from_.meta().epoch; }

 private:
  void begin(environment& to, message_id epoch) {
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

  void write_some(environment& to) {
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

  void write_witness(message_id epoch) const {
    page_file file{folder_ / "data.mdb"};
    auto seen = file.look();
    if (!seen)
      return;
    witness beside{folder_ / "witness"};
    beside.write({.epoch = epoch,
                  .position = last_,
                  .running_hash = hash_,
                  .transaction = seen->transaction,
                  .meta_hash = seen->hash});
    beside.sync();
  }

  journal_pages from_;
  std::uint64_t last_;
  std::uint64_t wanted_hash_;
  path folder_;
  std::uint64_t done_ = 0;
  std::uint64_t hash_ = 0;
};

template <class F>
result<copy_report, storage_error> copying(const std::string& attempted, F f) {
  auto problem = [&](storage_error_kind kind, const std::string& why) {
    auto room = kind == storage_error_kind::full ? ". Make room, or name another place" : "";
    return storage_error{kind, attempted + ": " + why + room};
  };
  try {
    return f();
  } catch (const storage_exception& error) {
    auto inner = error.error();
    inner.text = attempted + ": " + inner.text;
    return inner;
  } catch (const lmdb_error& error) {
    return problem(error.out_of_space()  ? storage_error_kind::full
                   : error.code() == EIO ? storage_error_kind::io
                                         : storage_error_kind::unusable,
                   error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    bool full = error.code() == std::errc::no_space_on_device;
    return problem(full ? storage_error_kind::full : storage_error_kind::unusable,
                   error.path1().string() + ": " + error.code().message());
  } catch (const std::exception& error) {
    return problem(storage_error_kind::unusable, error.what());
  }
}

}  // namespace

result<copy_report, storage_error> back_up(const path& data, const path& to,
                                           const copy_progress& progress) {
  auto attempted = "cannot back up " + data.string() + " to " + to.string();
  return copying(attempted, [&]() -> result<copy_report, storage_error> {
    if (std::filesystem::exists(to) &&
        (!std::filesystem::is_directory(to) || !std::filesystem::is_empty(to)))
      return storage_error{storage_error_kind::unusable,
                           attempted + ": there is something already. Name a new directory"};
    // First, so that a directory without a journal leaves no trace.
    journal_copy copy{data, to / "journal.unfinished"};
    bool made = !std::filesystem::exists(to);
    make_directory(to);
    try {
      unfinished_folder folder{to / "journal.unfinished"};
      auto report = copy.write(copy.epoch(), progress);
      folder.keep_as(to / "journal");
      sync_names(to);
      return report;
    } catch (...) {
      std::error_code ignored;
      if (made)
        std::filesystem::remove(to, ignored);
      throw;
    }
  });
}

result<copy_report, storage_error> restore(const path& from, const path& data,
                                           const copy_progress& progress) {
  auto attempted = "cannot restore " + from.string() + " to " + data.string();
  return copying(attempted, [&]() -> result<copy_report, storage_error> {
    auto refused = [&] {
      return std::filesystem::exists(data / "journal")
                 ? std::optional{storage_error{
                       storage_error_kind::unusable,
                       attempted +
                           ": there is a journal already, and it is not overwritten. Move " +
                           (data / "journal").string() + " away, or name another directory"}}
                 : std::nullopt;
    };
    if (auto why = refused())
      return *why;
    journal_copy copy{from, data / "journal.unfinished"};
    auto owner = data_owner::acquire(data);
    if (!owner)
      return owner.error();
    // A node may have come and gone before the directory was ours.
    if (auto why = refused())
      return *why;
    unfinished_folder folder{data / "journal.unfinished"};
    auto report = copy.write(message_id::make(), progress);
    folder.keep_as(data / "journal");
    sync_names(data);
    return report;
  });
}

}  // namespace microlith
