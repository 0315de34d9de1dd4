#include <microlith/persistence/internal/directory.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/mapped_tree.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <limits>
#include <utility>

namespace microlith::internal {

namespace {

constexpr bool plenty_of_addresses = sizeof(void*) >= 8;
// With 64 bits addresses cost nothing, and growing needs a moment without readers. With 32 they are
// the scarce thing: a map is then about as large as what is in it.
constexpr std::size_t reserved_for_all_bytes =
    plenty_of_addresses ? static_cast<std::size_t>(1'099'511'627'776ULL) : std::size_t{16} << 20;
constexpr std::size_t smallest_map_bytes = std::size_t{1} << 20;
// Far from where sizes overflow.
constexpr std::size_t largest_map_bytes = std::numeric_limits<std::size_t>::max() / 4;
// Longer than read transactions last (100 ms), short enough for somebody who waits for an append.
constexpr std::chrono::milliseconds growth_patience{250};
constexpr int follow_attempts = 8;
constexpr unsigned max_readers = 512;
constexpr mdb_mode_t file_mode = 0600;
// At least what LMDB's lock file has with as many readers.
constexpr off_t lock_file_bytes = 64 * (max_readers + 8);

// Growing by less than that would have to be done again at once.
std::size_t smallest_map_step(std::size_t map_bytes) {
  return std::max<std::size_t>(map_bytes / 16, 4096);
}

// LMDB writes to its lock file through memory: a disk that has no room for it would be a signal.
void take_room_for_locks(const std::filesystem::path& directory, const std::string& attempted) {
  int file = ::open((directory / "lock.mdb").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode);
  check(file < 0 ? errno : 0, attempted);
  // Other failures mean that the file system knows no such thing.
  int code = ::fallocate(file, 0, 0, lock_file_bytes) == 0 || errno != ENOSPC ? 0 : ENOSPC;
  ::close(file);
  check(code, attempted);
}

// LMDB ends the process where its own pages contradict each other; that should not be without a
// word.
void say_that_it_is_damaged(MDB_env* env, const char* what) {
  const char* directory = "";
  mdb_env_get_path(env, &directory);
  std::fprintf(stderr,
               "the data in %s is damaged: %s. Restore a backup; an index or a projection may be "
               "deleted instead, and is then built again\n",
               directory, what);
}

}  // namespace

lmdb_error::lmdb_error(int code, std::string_view attempted)
    : std::runtime_error{std::string{attempted} + ": " + mdb_strerror(code)}, code_{code} {}

bool lmdb_error::out_of_space() const {
  return code_ == MDB_MAP_FULL || code_ == MDB_TXN_FULL || code_ == ENOSPC || code_ == EDQUOT ||
         code_ == EFBIG;
}

std::size_t default_map_bytes(unsigned share) {
  return std::max(reserved_for_all_bytes / share, smallest_map_bytes);
}

map_size sensible_map_size(map_size wanted, unsigned share) {
  if (wanted.limit_bytes == 0)
    wanted.limit_bytes = largest_map_bytes;
  if (wanted.reserve_bytes == 0)
    wanted.reserve_bytes = default_map_bytes(share);
  wanted.reserve_bytes = std::min(wanted.reserve_bytes, wanted.limit_bytes);
  return wanted;
}

environment::environment(const std::filesystem::path& directory, const environment_options& options)
    : map_limit_bytes_{std::min(options.map_limit_bytes, largest_map_bytes)} {
  make_directory(directory);
  auto attempted = "open " + directory.string();
  take_room_for_locks(directory, attempted);
  unsigned flags = MDB_NOTLS;
  if (!options.sync)
    flags |= MDB_NOSYNC;
  if (!options.sync_meta)
    flags |= MDB_NOMETASYNC;
  auto map_bytes = options.map_bytes;
  for (;;) {
    check(mdb_env_create(&env_), attempted);
    int code = mdb_env_set_mapsize(env_, map_bytes);
    if (code == 0)
      code = mdb_env_set_maxdbs(env_, options.max_tables);
    if (code == 0)
      code = mdb_env_set_maxreaders(env_, max_readers);
    if (code == 0)
      code = mdb_env_set_assert(env_, say_that_it_is_damaged);
    if (code == 0)
      code = mdb_env_open(env_, directory.c_str(), flags, file_mode);
    if (code == 0)
      break;
    mdb_env_close(std::exchange(env_, nullptr));
    if (code != ENOMEM || map_bytes / 2 < smallest_map_bytes)
      throw lmdb_error{code, attempted};
    map_bytes /= 2;
  }
  mdb_env_set_userctx(env_, this);
  (void)forget_dead_readers();
  if (const auto* begin = begin_of_file())
    guard_ = std::make_unique<page_guard>(env_, begin, options.max_tables,
                                          options.mark_damage ? directory : "");
}

environment::~environment() {
  if (env_ != nullptr)
    mdb_env_close(env_);
}

// Null where there are no tables yet.
const std::byte* environment::begin_of_file() const {
  MDB_txn* t = nullptr;
  MDB_dbi main = 0;
  MDB_cursor* cursor = nullptr;
  MDB_val key{};
  MDB_val value{};
  MDB_stat stat{};
  if (mdb_txn_begin(env_, nullptr, MDB_RDONLY, &t) != 0)
    return nullptr;
  const std::byte* begin = nullptr;
  if (mdb_dbi_open(t, nullptr, 0, &main) == 0 && mdb_stat(t, main, &stat) == 0 &&
      mdb_cursor_open(t, main, &cursor) == 0) {
    if (mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0)
      begin = begin_of_map(to_span(key), stat.ms_psize);
    mdb_cursor_close(cursor);
  }
  mdb_txn_abort(t);
  return begin;
}

std::size_t environment::map_bytes() const {
  MDB_envinfo info{};
  enter();
  mdb_env_info(env_, &info);
  leave();
  return info.me_mapsize;
}

bool environment::forget_dead_readers() const {
  int dead = 0;
  return mdb_reader_check(env_, &dead) == 0 && dead > 0;
}

bool environment::grow() {
  if (forget_dead_readers())
    return true;
  auto now = map_bytes();
  if (now >= map_limit_bytes_ || !gate_.close(growth_patience))
    return false;
  bool grown = false;
  for (auto more = std::min(now, map_limit_bytes_ - now); !grown && more >= smallest_map_step(now);
       more /= 2) {
    // LMDB gives up the map that it has before it asks for the larger one, and cannot go on with
    // neither: so this asks first.
    auto* probe =
        ::mmap(nullptr, now + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED)
      continue;
    ::munmap(probe, now + more);
    grown = remap(now + more) == 0;
    if (!grown)
      break;
  }
  gate_.open();
  return grown;
}

int environment::follow_growth() const {
  if (!gate_.close(growth_patience))
    return MDB_MAP_RESIZED;
  int code = remap(0);
  gate_.open();
  return code;
}

int environment::remap(std::size_t bytes) const {
  int code = mdb_env_set_mapsize(env_, bytes);
  if (code != 0)
    map_lost_.store(true, std::memory_order_release);
  else if (guard_)
    guard_->map_at(begin_of_file());
  map_generation_.fetch_add(1, std::memory_order_release);
  return code;
}

lmdb_transaction::lmdb_transaction(const environment& env, access wanted) : env_{&env} {
  begin([&] {
    return mdb_txn_begin(env.get(), nullptr, wanted == access::read ? MDB_RDONLY : 0, &txn_);
  });
}

template <class F>
void lmdb_transaction::begin(F begin_or_renew) {
  int code = MDB_MAP_RESIZED;
  for (int attempt = 0; code == MDB_MAP_RESIZED && attempt < follow_attempts; ++attempt) {
    if (attempt > 0 && (code = env_->follow_growth()) != 0)
      break;
    env_->enter();
    code = env_->map_lost_.load(std::memory_order_acquire) ? ENOMEM : begin_or_renew();
    if (code != 0)
      env_->leave();
  }
  check(code, "begin a transaction");
  inside_ = true;
}

lmdb_transaction::lmdb_transaction(MDB_txn* parent) {
  check(mdb_txn_begin(mdb_txn_env(parent), parent, 0, &txn_), "begin a transaction in another one");
}

MDB_dbi lmdb_transaction::open_table(const char* name, unsigned flags) {
  MDB_dbi table = 0;
  check(mdb_dbi_open(txn_, name, flags, &table),
        std::string{"open table "} + (name != nullptr ? name : "(main)"));
  if (auto* guard = guard_of(txn_); guard != nullptr && name != nullptr)
    guard->watch(table, name);
  return table;
}

std::optional<std::span<const std::byte>> lmdb_transaction::find(
    MDB_dbi table, std::span<const std::byte> key) const {
  if (auto* guard = guard_of(txn_))
    guard->before_key(txn_, table, key);
  MDB_val k = to_val(key);
  MDB_val value{};
  int code = mdb_get(txn_, table, &k, &value);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  check(code, "look up a key");
  return to_span(value);
}

std::optional<std::span<const std::byte>> lmdb_transaction::find(MDB_dbi table,
                                                                 std::string_view key) const {
  return find(table, std::as_bytes(std::span{key.data(), key.size()}));
}

void lmdb_transaction::put(MDB_dbi table, std::span<const std::byte> key,
                           std::span<const std::byte> value, unsigned flags) {
  if (auto* guard = guard_of(txn_))
    guard->before_key(txn_, table, key);
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  check(mdb_put(txn_, table, &k, &v, flags), "write a key");
}

void lmdb_transaction::put(MDB_dbi table, std::string_view key, std::span<const std::byte> value) {
  put(table, std::as_bytes(std::span{key.data(), key.size()}), value);
}

bool lmdb_transaction::erase(MDB_dbi table, std::span<const std::byte> key) {
  if (auto* guard = guard_of(txn_))
    guard->before_erasing(txn_, table);
  MDB_val k = to_val(key);
  int code = mdb_del(txn_, table, &k, nullptr);
  if (code != MDB_NOTFOUND)
    check(code, "erase a key");
  return code == 0;
}

void lmdb_transaction::empty(MDB_dbi table) {
  MDB_stat stat{};
  check(mdb_stat(txn_, table, &stat), "look at a table");
  if (stat.ms_entries == 0)
    return;
  if (auto* guard = guard_of(txn_))
    guard->before_erasing(txn_, table);
  check(mdb_drop(txn_, table, 0), "empty a table");
}

void lmdb_transaction::commit() {
  int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  leave();
  check(code, "commit");
}

void lmdb_transaction::abort() {
  if (txn_ != nullptr)
    mdb_txn_abort(std::exchange(txn_, nullptr));
  leave();
}

void lmdb_transaction::leave() {
  if (std::exchange(inside_, false))
    env_->leave();
}

void lmdb_transaction::reset() {
  mdb_txn_reset(txn_);
  leave();
}

void lmdb_transaction::renew() {
  begin([&] { return mdb_txn_renew(txn_); });
}

lmdb_cursor::lmdb_cursor(const lmdb_transaction& transaction, MDB_dbi table)
    : steps_{transaction.get(), table} {
  check(mdb_cursor_open(transaction.get(), table, &cursor_), "open a cursor");
}

lmdb_cursor::lmdb_cursor(lmdb_cursor&& other) noexcept
    : cursor_{std::exchange(other.cursor_, nullptr)},
      steps_{other.steps_},
      key_{other.key_},
      value_{other.value_} {}

lmdb_cursor::~lmdb_cursor() {
  if (cursor_ != nullptr)
    mdb_cursor_close(cursor_);
}

bool lmdb_cursor::move(MDB_cursor_op operation) {
  steps_.before(operation, key());
  int code = mdb_cursor_get(cursor_, &key_, &value_, operation);
  if (code == MDB_NOTFOUND)
    return false;
  check(code, "read with a cursor");
  return true;
}

bool lmdb_cursor::seek(std::span<const std::byte> at_or_after) {
  key_ = to_val(at_or_after);
  return move(at_or_after.empty() ? MDB_FIRST : MDB_SET_RANGE);
}

void lmdb_cursor::put(std::span<const std::byte> key, std::span<const std::byte> value,
                      unsigned flags) {
  // Where it is behind all others, the way there was looked at, or is new.
  if ((flags & MDB_APPEND) == 0)
    steps_.before(MDB_SET_RANGE, key);
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  check(mdb_cursor_put(cursor_, &k, &v, flags), "write with a cursor");
}

}  // namespace microlith::internal
