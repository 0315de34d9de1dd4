#include <microlith/persistence/internal/lmdb.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace microlith::internal {

namespace {

// Below this there is no use in trying: the caller's disk would be larger than the map.
constexpr std::size_t smallest_default_map_bytes = std::size_t{64} << 20;
constexpr unsigned max_readers = 512;
constexpr mdb_mode_t file_mode = 0600;

}  // namespace

lmdb_error::lmdb_error(int code, std::string_view attempted)
    : std::runtime_error{std::string{attempted} + ": " + mdb_strerror(code)}, code_{code} {}

bool lmdb_error::out_of_space() const {
  return code_ == MDB_MAP_FULL || code_ == MDB_TXN_FULL || code_ == ENOSPC || code_ == EDQUOT ||
         code_ == EFBIG;
}

std::size_t default_map_bytes(unsigned share) {
  // On 64 bits address space is plentiful, and growing a map later needs a moment without readers.
  if constexpr (sizeof(void*) >= 8)
    return (std::size_t{1} << 40) / share;
  else
    return (std::size_t{1} << 29) / share;
}

environment::environment(const std::filesystem::path& directory,
                         const environment_options& options) {
  std::filesystem::create_directories(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  auto attempted = "open " + directory.string();
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
      code = mdb_env_open(env_, directory.c_str(), flags, file_mode);
    if (code == 0)
      break;
    mdb_env_close(std::exchange(env_, nullptr));
    if (code != ENOMEM || map_bytes / 2 < smallest_default_map_bytes)
      throw lmdb_error{code, attempted};
    map_bytes /= 2;
  }
  // Readers of processes that have died keep old pages from being used again.
  int dead = 0;
  mdb_reader_check(env_, &dead);
}

environment::~environment() {
  if (env_ != nullptr)
    mdb_env_close(env_);
}

std::size_t environment::map_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_mapsize;
}

lmdb_transaction::lmdb_transaction(const environment& env, access wanted) {
  check(mdb_txn_begin(env.get(), nullptr, wanted == access::read ? MDB_RDONLY : 0, &txn_),
        "begin a transaction");
}

MDB_dbi lmdb_transaction::open_table(const char* name, unsigned flags) {
  MDB_dbi table = 0;
  check(mdb_dbi_open(txn_, name, flags, &table),
        std::string{"open table "} + (name != nullptr ? name : "(main)"));
  return table;
}

std::optional<std::span<const std::byte>> lmdb_transaction::find(
    MDB_dbi table, std::span<const std::byte> key) const {
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
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  check(mdb_put(txn_, table, &k, &v, flags), "write a key");
}

void lmdb_transaction::put(MDB_dbi table, std::string_view key, std::span<const std::byte> value) {
  put(table, std::as_bytes(std::span{key.data(), key.size()}), value);
}

void lmdb_transaction::commit() {
  check(mdb_txn_commit(std::exchange(txn_, nullptr)), "commit");
}

void lmdb_transaction::abort() {
  if (txn_ != nullptr)
    mdb_txn_abort(std::exchange(txn_, nullptr));
}

void lmdb_transaction::renew() {
  check(mdb_txn_renew(txn_), "renew a read transaction");
}

lmdb_cursor::lmdb_cursor(const lmdb_transaction& transaction, MDB_dbi table) {
  check(mdb_cursor_open(transaction.get(), table, &cursor_), "open a cursor");
}

lmdb_cursor::lmdb_cursor(lmdb_cursor&& other) noexcept
    : cursor_{std::exchange(other.cursor_, nullptr)}, key_{other.key_}, value_{other.value_} {}

lmdb_cursor::~lmdb_cursor() {
  if (cursor_ != nullptr)
    mdb_cursor_close(cursor_);
}

bool lmdb_cursor::move(MDB_cursor_op operation) {
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
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  check(mdb_cursor_put(cursor_, &k, &v, flags), "write with a cursor");
}

void lmdb_cursor::renew(const lmdb_transaction& transaction) {
  check(mdb_cursor_renew(transaction.get(), cursor_), "renew a cursor");
}

}  // namespace microlith::internal
