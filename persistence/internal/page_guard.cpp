#include <microlith/persistence/internal/guarded_way.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/page_guard.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace microlith::internal {

using namespace page_layout;

namespace {

void leave_mark(const std::filesystem::path& file) {
  int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (made >= 0)
    ::close(made);
}

}  // namespace

page_guard::page_guard(MDB_env* env, const std::byte* map, std::size_t tables,
                       std::filesystem::path directory)
    : env_{env}, directory_{std::move(directory)}, map_{map}, tables_(tables + 2) {
  MDB_stat stat{};
  check(mdb_env_stat(env, &stat), "look at an environment");
  page_bytes_ = stat.ms_psize;
}

void page_guard::watch(MDB_dbi table, std::string_view name) {
  auto& of = tables_.at(table);
  if (!of.name.empty())
    return;
  of.name = name;
  of.state.store(care::unknown, std::memory_order_release);
}

void page_guard::trust(MDB_dbi table) {
  tables_.at(table).state.store(care::none, std::memory_order_release);
}

page_tree page_guard::tree_of(MDB_txn* t, const watched& table) const {
  // Until its commit a transaction leaves the roots in the main table as they were.
  MDB_val key = to_val(table.name);
  MDB_val value{};
  // LMDB's own number of the main table, which it always has.
  constexpr MDB_dbi main_table = 1;
  int code = mdb_get(t, main_table, &key, &value);
  if (code == MDB_NOTFOUND)
    return {};
  check(code, "find a table");
  if (value.mv_size != tree_bytes)
    throw page_error{"table " + table.name + " is none"};
  return tree_from(to_span(value).data());
}

template <class F>
void page_guard::look(MDB_txn* t, MDB_dbi table, F f) {
  auto& of = tables_.at(table);
  auto state = of.state.load(std::memory_order_acquire);
  if (state == care::none)
    return;
  try {
    auto tree = tree_of(t, of);
    if (tree.root == no_page)
      return trust(table);
    if (tree.flags != 0)
      throw page_error{"table " + of.name + " is of another kind than it was made"};
    MDB_envinfo info{};
    check(mdb_env_info(env_, &info), "look at an environment");
    guarded_way there{
        {map_.load(std::memory_order_acquire), std::uint64_t{info.me_last_pgno} + 1, page_bytes_},
        tree,
        seen_};
    if (state == care::unknown && tree.pages() <= small_table_pages) {
      for (there.to_first(); there.to_next_leaf();) {
      }
      return trust(table);
    }
    of.state.compare_exchange_strong(state, care::needed, std::memory_order_acq_rel);
    f(there);
  } catch (const page_error& error) {
    if (!directory_.empty())
      leave_mark(directory_ / damage_mark);
    throw lmdb_error{MDB_CORRUPTED, error.what()};
  }
}

void page_guard::before_key(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key) {
  look(t, table, [&](guarded_way& there) { there.to(key); });
}

void page_guard::before_erasing(MDB_txn* t, MDB_dbi table) {
  look(t, table, [&](guarded_way& there) {
    for (there.to_first(); there.to_next_leaf();) {
    }
    trust(table);
  });
}

page_guard::edge page_guard::before_seek(MDB_txn* t, MDB_dbi table,
                                         std::span<const std::byte> key) {
  edge last = nullptr;
  look(t, table, [&](guarded_way& there) {
    there.to(key);
    if (compare_keys(there.last_key(), key) >= 0 || there.to_next_leaf())
      last = there.last_key().data();
  });
  return last;
}

page_guard::edge page_guard::before_first(MDB_txn* t, MDB_dbi table) {
  edge last = nullptr;
  look(t, table, [&](guarded_way& there) {
    there.to_first();
    last = there.last_key().data();
  });
  return last;
}

void page_guard::before_last(MDB_txn* t, MDB_dbi table) {
  look(t, table, [&](guarded_way& there) { there.to_last(); });
}

page_guard::edge page_guard::before_next(MDB_txn* t, MDB_dbi table,
                                         std::span<const std::byte> key) {
  edge last = nullptr;
  look(t, table, [&](guarded_way& there) {
    there.to(key);
    if (compare_keys(there.last_key(), key) > 0 || there.to_next_leaf())
      last = there.last_key().data();
  });
  return last;
}

void page_guard::before_previous(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key) {
  look(t, table, [&](guarded_way& there) {
    there.to(key);
    if (compare_keys(there.first_key(), key) >= 0)
      (void)there.to_previous_leaf();
  });
}

guarded_steps::guarded_steps(MDB_txn* t, MDB_dbi table)
    : guard_{guard_of(t)}, transaction_{t}, table_{table} {
  if (guard_ != nullptr && guard_->trusts(table))
    guard_ = nullptr;
}

void guarded_steps::look(MDB_cursor_op operation, std::span<const std::byte> key) {
  if (operation == MDB_NEXT) {
    // On the same page as its last key, and not at that: LMDB looks at no other.
    auto apart =
        reinterpret_cast<std::uintptr_t>(key.data()) ^ reinterpret_cast<std::uintptr_t>(edge_);
    if (edge_ != nullptr && apart != 0 && apart < guard_->page_bytes())
      return;
    edge_ = guard_->before_next(transaction_, table_, key);
    return;
  }
  edge_ = nullptr;
  if (operation == MDB_FIRST)
    edge_ = guard_->before_first(transaction_, table_);
  else if (operation == MDB_LAST)
    guard_->before_last(transaction_, table_);
  else if (operation == MDB_PREV)
    guard_->before_previous(transaction_, table_, key);
  else
    edge_ = guard_->before_seek(transaction_, table_, key);
}

}  // namespace microlith::internal
