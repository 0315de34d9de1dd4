#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/journal_damage.hpp>
#include <microlith/persistence/internal/journal_file.hpp>
#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/opening_check.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/stored_format.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

namespace microlith::internal {

namespace {

// How far offsets and sizes on a damaged page can lead past it. The file is kept longer than what
// is in use by as much (a hole, which takes no room), so that LMDB meets zeros there and not a
// signal.
constexpr std::uint64_t slack_bytes = 256 * 1024;
// What may be missing where a commit failed without saying that the disk was full.
constexpr std::uint64_t probe_bytes = std::uint64_t{1} << 20;

constexpr std::ptrdiff_t prefetched_lines = 4;

std::array<std::byte, 8> record_key(std::uint64_t position) {
  std::array<std::byte, 8> key;
  store_be(key.data(), position);
  return key;
}

std::optional<storage_error> check_before_mapping(const std::filesystem::path& directory,
                                                  const std::optional<witnessed>& seen) {
  auto file = directory / "data.mdb";
  auto state = inspect_data_file(file);
  auto refuse = [&](const std::string& what) {
    return storage_error{storage_error_kind::damaged,
                         "cannot open the journal in " + directory.string() + ": " + what};
  };
  auto undo_hint = " Restore a backup; to go on with what is left, delete " +
                   (directory / "witness").string() + " first";
  if (!state) {
    if (seen && seen->position > 0)
      return refuse("data.mdb is gone or empty, and held " + std::to_string(seen->position) +
                    " events." + undo_hint);
    return std::nullopt;
  }
  if (!state->newest)
    return refuse(
        "neither meta page of data.mdb is one: the file is damaged, or is something else."
        " Restore a backup");
  auto needed = (state->newest->last_page + 1) * state->newest->page_bytes;
  if (state->file_bytes < needed)
    return refuse("data.mdb has " + std::to_string(state->file_bytes) + " bytes and must have " +
                  std::to_string(needed) + ": it was cut. Restore a backup");
  if (seen && state->newest->transaction < seen->transaction)
    return refuse("its last commits are missing: it ends at transaction " +
                  std::to_string(state->newest->transaction) + ", and " +
                  std::to_string(seen->transaction) + " (up to event " +
                  std::to_string(seen->position) + ") had been acknowledged." + undo_hint);
  if (seen && seen->meta_hash != 0 && state->newest->transaction == seen->transaction &&
      state->newest->hash != seen->meta_hash)
    return refuse(
        "LMDB's own description in it (meta page or main table) is not what was written." +
        undo_hint);
  try {
    if (auto wrong = opening_problem(file, records_table_name); !wrong.empty())
      return refuse("data.mdb is damaged: " + wrong + ". Restore a backup");
  } catch (const page_file_error& error) {
    return storage_error{storage_error_kind::io, "cannot open the journal in " +
                                                     directory.string() + ": " + error.what() +
                                                     ". Look at the disk, then start again"};
  }
  return std::nullopt;
}

storage_error_kind kind_of(const lmdb_error& error) {
  if (error.out_of_space())
    return storage_error_kind::full;
  if (error.code() == EIO)
    return storage_error_kind::io;
  bool is_healthy = error.code() == MDB_VERSION_MISMATCH || error.code() == MDB_READERS_FULL;
  return error.code() < 0 && !is_healthy ? storage_error_kind::damaged
                                         : storage_error_kind::unusable;
}

std::string_view way_out(storage_error_kind kind) {
  switch (kind) {
    case storage_error_kind::damaged:
      return ". Restore a backup";
    case storage_error_kind::full:
      return ". Make room on the disk or raise the map limit";
    case storage_error_kind::io:
      return ". Look at the disk, then start again";
    default:
      return ". Mend the cause, permissions for example, or choose another directory";
  }
}

}  // namespace

result<std::unique_ptr<journal_file>, storage_error> journal_file::open(
    const std::filesystem::path& directory, map_size map, bool sync, unsigned more_tables) {
  auto problem = [&](storage_error_kind kind, const std::string& why) {
    return storage_error{kind, "cannot open the journal in " + directory.string() + ": " + why +
                                   std::string{way_out(kind)}};
  };
  try {
    auto seen = read_witness(directory / "witness");
    if (auto wrong = check_before_mapping(directory, seen))
      return *wrong;
    if (!inspect_data_file(directory / "data.mdb"))
      make(directory, map, sync);
    std::unique_ptr<journal_file> file{new journal_file{directory, map, sync, more_tables}};
    if (auto wrong = file->load(seen))
      return *wrong;
    return file;
  } catch (const lmdb_error& error) {
    return problem(kind_of(error), error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    bool is_full = error.code() == std::errc::no_space_on_device;
    return problem(is_full ? storage_error_kind::full : storage_error_kind::unusable,
                   error.path1().string() + ": " + error.code().message());
  }
}

void journal_file::make(const std::filesystem::path& directory, map_size map, bool sync) {
  // Beside its place, and put there when it is whole: a loss of power leaves all of it or nothing.
  auto beginnings = directory / "new";
  make_directory(directory);
  std::filesystem::remove_all(beginnings);
  journal_file{beginnings, map, sync, 0}.create();
  std::filesystem::rename(beginnings / "data.mdb", directory / "data.mdb");
  if (sync)
    sync_names(directory);
  std::filesystem::remove_all(beginnings);
}

journal_file::journal_file(const std::filesystem::path& directory, map_size map, bool sync,
                           unsigned more_tables)
    : directory_{directory},
      environment_{directory,
                   {.map_bytes = map.reserve_bytes,
                    .map_limit_bytes = map.limit_bytes,
                    .max_tables = 4 + more_tables,
                    .sync = sync,
                    .mark_damage = false}},
      witness_{directory / "witness"} {
  MDB_stat stat{};
  check(mdb_env_stat(environment_.get(), &stat), "look at the journal");
  page_bytes_ = stat.ms_psize;
}

journal_file::~journal_file() {
  witness_.sync();
}

storage_error journal_file::damaged(const std::string& what, std::uint64_t position) const {
  return damaged_journal(directory_, what, position);
}

void journal_file::create() {
  lmdb_transaction t{environment_, lmdb_transaction::access::write};
  (void)t.open_table(records_table_name, MDB_CREATE);
  (void)t.open_table(types_table_name, MDB_CREATE);
  std::random_device random;
  name_secret secret;
  std::generate(secret.begin(), secret.end(),
                [&] { return static_cast<std::byte>(random() & 0xFF); });
  t.put(t.open_table(nullptr, 0), journal_meta_key,
        encode_meta({journal_format, message_id::make(), secret}));
  t.commit();
}

std::optional<storage_error> journal_file::load(const std::optional<witnessed>& seen) {
  lmdb_transaction t{environment_, lmdb_transaction::access::read};
  records_table_ = t.open_table(records_table_name, 0);
  // Read with care, and appended to where opening has looked.
  environment_.trust(records_table_);
  types_table_ = t.open_table(types_table_name, 0);
  main_table_ = t.open_table(nullptr, 0);
  remember_end();
  auto stored = t.find(main_table_, journal_meta_key);
  auto meta = stored ? decode_meta(*stored) : std::nullopt;
  if (!meta)
    return damaged("its description of itself is not there or does not fit its checksum");
  if (meta->format != journal_format)
    return format_problem("the journal in " + directory_.string(), meta->format, journal_format);
  epoch_ = meta->epoch;
  secret_ = meta->secret;

  std::uint64_t last = 0;
  {
    lmdb_cursor records{t, records_table_};
    if (records.move(MDB_LAST)) {
      if (records.key().size() != 8)
        return damaged("its last key is no position");
      last = load_be<std::uint64_t>(records.key().data());
    }
    lmdb_cursor types{t, types_table_};
    for (bool more = types.move(MDB_FIRST); more; more = types.move(MDB_NEXT)) {
      auto id = types.key().size() == 4 ? load_be<std::uint32_t>(types.key().data()) : 0;
      auto type = decode_type(id, types.value());
      if (!type || !types_.load(std::move(*type)))
        return damaged("its table of types is not what was written");
    }
  }
  if (auto found = t.find(main_table_, journal_state_key)) {
    auto state = decode_journal_state(*found);
    if (!state)
      return damaged("its state does not fit its checksum");
    if (state->last_position != last)
      return damaged("it should end at event " + std::to_string(state->last_position) +
                     " and ends at event " + std::to_string(last));
    running_hash_ = state->running_hash;
  } else if (last != 0) {
    return damaged("its state is missing");
  }
  if (seen && seen->epoch == epoch_ &&
      (seen->position > last || (seen->position == last && seen->running_hash != running_hash_)))
    return damaged("it is not what was acknowledged up to event " + std::to_string(seen->position));
  keep_slack();
  // Committing, though nothing was written, keeps the tables open.
  t.commit();
  last_position_.store(last, std::memory_order_release);
  return std::nullopt;
}

void journal_file::adopt_types(const type_catalog& catalog) {
  types_.adopt(catalog);
  if (types_.renewed().empty())
    return;
  try {
    (void)writing{*this}.commit();
  } catch (const lmdb_error&) {
    // The disk is full, say: they go with the next commit.
  }
}

void journal_file::keep_slack() const {
  mdb_filehandle_t file = -1;
  struct stat status {};
  auto wanted = map_used_bytes_.load(std::memory_order_relaxed) + slack_bytes;
  if (mdb_env_get_fd(environment_.get(), &file) == 0 && ::fstat(file, &status) == 0 &&
      static_cast<std::uint64_t>(status.st_size) < wanted && wanted <= environment_.map_bytes())
      [[maybe_unused]]
    auto ignored = ::ftruncate(file, static_cast<off_t>(wanted));
}

journal_file::failed_commit journal_file::look_at_failed_commit(const lmdb_error& error) const {
  // After some failures the environment takes nothing more.
  MDB_txn* probe = nullptr;
  if (mdb_txn_begin(environment_.get(), nullptr, 0, &probe) != 0)
    return failed_commit::unknown;
  mdb_txn_abort(probe);
  if (error.out_of_space())
    return failed_commit::no_space;
  mdb_filehandle_t file = -1;
  if (error.code() != EIO || mdb_env_get_fd(environment_.get(), &file) != 0)
    return failed_commit::unknown;
  // LMDB says EIO where the disk took only a part of what was written, which is what a disk that
  // has just become full does. Whether it has is seen by asking for more.
  auto used = static_cast<off_t>(map_used_bytes_.load(std::memory_order_relaxed));
  int code = ::posix_fallocate(file, used, static_cast<off_t>(probe_bytes));
  return code == ENOSPC || code == EFBIG || code == EDQUOT ? failed_commit::no_space
                                                           : failed_commit::unknown;
}

mapped_tree journal_file::records_in(const lmdb_transaction& t) const {
  auto tree = t.find(main_table_, records_table_name);
  // The newest commit's end, which is at or behind that of the transaction.
  MDB_envinfo info{};
  check(mdb_env_info(environment_.get(), &info), "look at the journal");
  if (!tree || tree->size() != page_layout::tree_bytes)
    throw lmdb_error{MDB_CORRUPTED, "find the table of records"};
  return {{begin_of_map(*tree, page_bytes_), std::uint64_t{info.me_last_pgno} + 1, page_bytes_},
          page_layout::tree_from(tree->data())};
}

void journal_file::remember_end() {
  MDB_envinfo info{};
  if (mdb_env_info(environment_.get(), &info) == 0)
    map_used_bytes_.store((info.me_last_pgno + 1) * page_bytes_, std::memory_order_release);
}

journal_file::writing::writing(journal_file& file)
    : file_{file},
      transaction_{file.environment_, lmdb_transaction::access::write},
      position_{file.last_position()},
      running_hash_{file.running_hash_} {
  cursor_.emplace(transaction_, file.records_table_);
}

void journal_file::writing::add(std::span<const std::byte> record, std::uint64_t checksum) {
  ++position_;
  cursor_->put(record_key(position_), record, MDB_APPEND);
  running_hash_ = extend_running_hash(running_hash_, checksum);
}

std::uint64_t journal_file::writing::commit() {
  cursor_.reset();
  auto put_type = [&](const stored_type& type) {
    std::array<std::byte, 4> key;
    store_be(key.data(), type.id);
    transaction_.put(file_.types_table_, key, encode_type(type));
  };
  for (const auto& type : file_.types_.pending())
    put_type(*type);
  for (const auto* type : file_.types_.renewed())
    put_type(*type);
  transaction_.put(file_.main_table_, journal_state_key,
                   encode_journal_state({position_, running_hash_}));
  transaction_.commit();

  file_.types_.committed();
  file_.running_hash_ = running_hash_;
  MDB_envinfo info{};
  mdb_filehandle_t handle = -1;
  if (mdb_env_info(file_.environment_.get(), &info) == 0 &&
      mdb_env_get_fd(file_.environment_.get(), &handle) == 0) {
    file_.map_used_bytes_.store((info.me_last_pgno + 1) * file_.page_bytes_,
                                std::memory_order_release);
    auto meta = read_meta_page(handle, info.me_last_txnid, file_.page_bytes_);
    file_.witness_.write({.epoch = file_.epoch_,
                          .position = position_,
                          .running_hash = running_hash_,
                          .transaction = info.me_last_txnid,
                          .meta_hash = meta ? meta->hash : 0});
  }
  return position_;
}

journal_file::reading::reading(const journal_file& file, clock now)
    : file_{file},
      transaction_{file.environment_, lmdb_transaction::access::read},
      records_{file.records_in(transaction_)},
      loads_until_look_{loads_between_looks},
      now_{now},
      began_{now()} {}

void journal_file::reading::renew_when_old() {
  if (--loads_until_look_ != 0)
    return;
  loads_until_look_ = loads_between_looks;
  auto now = now_();
  if (now - began_ < oldest_view)
    return;
  at_ = 0;
  transaction_.reset();
  transaction_.renew();
  records_ = file_.records_in(transaction_);
  began_ = now;
}

std::optional<storage_error> journal_file::reading::load(std::uint64_t position,
                                                         parsed_record& out) {
  try {
    renew_when_old();
    bool in_a_row = at_ != 0 && at_ + 1 == position && records_.next_nearby();
    at_ = 0;
    if ((!in_a_row && !records_.find(record_key(position))) || records_.key().size() != 8 ||
        load_be<std::uint64_t>(records_.key().data()) != position)
      return file_.damaged("it is missing", position);
    at_ = position;
  } catch (const page_error& error) {
    at_ = 0;
    return file_.damaged(error.what(), position);
  } catch (const lmdb_error& error) {
    at_ = 0;
    return file_.damaged(error.what(), position);
  }
  // LMDB fills a page from its end, so the next record lies before this one.
  for (std::ptrdiff_t line = 1; line <= prefetched_lines; ++line)
    __builtin_prefetch(records_.value().data() - line * 64);
  if (const char* problem = parse_record(position, records_.value(), out))
    return file_.damaged(problem, position);
  out.view.type = file_.types_.find(out.type);
  if (out.view.type == nullptr)
    return file_.damaged("its type is not in the table of types", position);
  return std::nullopt;
}

}  // namespace microlith::internal
