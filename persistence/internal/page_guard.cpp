#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/mapped_tree.hpp>
#include <microlith/persistence/internal/page_guard.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace microlith::internal {

using namespace page_layout;

namespace {

// A table of so many pages is looked at as a whole, at once.
constexpr std::uint64_t small_table_pages = 64;

void leave_mark(const std::filesystem::path& file) {
  int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (made >= 0)
    ::close(made);
}

}  // namespace

// From the root of a table to a leaf, every page looked at.
class page_guard::way {
 public:
  way(page_guard& guard, const page_tree& tree)
      : guard_{guard}, begin_{guard.map_.load(std::memory_order_acquire)}, tree_{tree} {
    MDB_envinfo info{};
    check(mdb_env_info(guard.env_, &info), "look at an environment");
    count_ = std::uint64_t{info.me_last_pgno} + 1;
    if (tree_.depth == 0 || tree_.depth > max_depth)
      refuse_page(tree_.root, "is the root of a tree of a depth that cannot be");
  }

  void to(std::span<const std::byte> key) {
    enter(0, tree_.root, {}, {});
    for (depth_ = 0; !at_leaf(); ++depth_) {
      auto& here = levels_[depth_];
      std::size_t low = 0;
      for (std::size_t high = here.count; high - low > 1;) {
        auto middle = low + (high - low) / 2;
        (compare_keys(key_at(here, middle), key) <= 0 ? low : high) = middle;
      }
      descend(low);
    }
  }
  void to_first() {
    enter(0, tree_.root, {}, {});
    for (depth_ = 0; !at_leaf(); ++depth_)
      descend(0);
  }
  void to_last() {
    enter(0, tree_.root, {}, {});
    for (depth_ = 0; !at_leaf(); ++depth_)
      descend(levels_[depth_].count - 1);
  }

  /// To the leaf behind this one, or before it; false where there is none.
  bool to_next_leaf() {
    for (auto depth = depth_; depth-- > 0;) {
      if (levels_[depth].at + 1 >= levels_[depth].count)
        continue;
      depth_ = depth;
      descend(levels_[depth].at + 1);
      for (++depth_; !at_leaf(); ++depth_)
        descend(0);
      return true;
    }
    return false;
  }
  bool to_previous_leaf() {
    for (auto depth = depth_; depth-- > 0;) {
      if (levels_[depth].at == 0)
        continue;
      depth_ = depth;
      descend(levels_[depth].at - 1);
      for (++depth_; !at_leaf(); ++depth_)
        descend(levels_[depth_].count - 1);
      return true;
    }
    return false;
  }

  [[nodiscard]] std::span<const std::byte> first_key() const { return key_at(levels_[depth_], 0); }
  [[nodiscard]] std::span<const std::byte> last_key() const {
    return key_at(levels_[depth_], levels_[depth_].count - 1);
  }

 private:
  struct level {
    const std::byte* page = nullptr;
    std::size_t count = 0;
    std::size_t at = 0;
    // Keys on it are from the one to before the other; empty: not known.
    std::span<const std::byte> from;
    std::span<const std::byte> to;
  };

  [[nodiscard]] bool at_leaf() const { return depth_ + 1 == tree_.depth; }
  [[nodiscard]] static const std::byte* entry_at(const level& of, std::size_t index) {
    return of.page + load_short(of.page + head_bytes + index * sizeof(std::uint16_t));
  }
  [[nodiscard]] static std::span<const std::byte> key_at(const level& of, std::size_t index) {
    const auto* entry = entry_at(of, index);
    return {entry + node_head_bytes, load_short(entry + 6)};
  }

  void descend(std::size_t index) {
    auto& here = levels_[depth_];
    here.at = index;
    enter(depth_ + 1, child_of(entry_at(here, index)), index > 0 ? key_at(here, index) : here.from,
          index + 1 < here.count ? key_at(here, index + 1) : here.to);
  }

  void enter(std::size_t depth, std::uint64_t number, std::span<const std::byte> from,
             std::span<const std::byte> to) {
    if (number < first_tree_page || number >= count_)
      refuse_page(number, "is in use, and cannot be");
    auto& here = levels_[depth];
    here = {begin_ + number * guard_.page_bytes_, 0, 0, from, to};
    bool leaf = depth + 1 == tree_.depth;
    if (!guard_.was_seen(number)) {
      look_at(here, number, leaf);
      guard_.saw(number);
    }
    // It may have been seen where another page leads to it.
    if (load<word>(here.page) != number ||
        load_short(here.page + flags_at) != (leaf ? leaf_page : branch_page))
      refuse_page(number, "is another page than it should be");
    here.count = (load_short(here.page + bounds_at) - head_bytes) / sizeof(std::uint16_t);
    std::size_t first = leaf ? 0 : 1;
    if (first < here.count &&
        ((!from.empty() && compare_keys(key_at(here, first), from) < 0) ||
         (!to.empty() && compare_keys(key_at(here, here.count - 1), to) >= 0)))
      refuse_page(number, "has keys that belong elsewhere");
  }

  void look_at(level& here, std::uint64_t number, bool leaf) const {
    here.count = check_tree_page({here.page, guard_.page_bytes_}, number,
                                 leaf ? tree_page::leaf : tree_page::branch);
    // The first key of a branch stands for all that is less than the second.
    for (std::size_t i = leaf ? 1 : 2; i < here.count; ++i) {
      if (compare_keys(key_at(here, i - 1), key_at(here, i)) >= 0)
        refuse_page(number, "has keys out of order");
    }
    for (std::size_t i = 0; leaf && i < here.count; ++i) {
      const auto* entry = entry_at(here, i);
      if ((load_short(entry + 4) & node_overflows) != 0)
        look_at_long_value(load<word>(entry + node_head_bytes + load_short(entry + 6)),
                           load_halves(entry));
    }
  }

  void look_at_long_value(std::uint64_t number, std::uint64_t bytes) const {
    auto pages = (head_bytes + bytes + guard_.page_bytes_ - 1) / guard_.page_bytes_;
    if (number < first_tree_page || number >= count_ || pages > count_ - number)
      refuse_page(number, "is said to hold a long value, and cannot");
    const auto* page = begin_ + number * guard_.page_bytes_;
    if (load<word>(page) != number || load_short(page + flags_at) != overflow_page ||
        load<std::uint32_t>(page + bounds_at) != pages)
      refuse_page(number, "should hold a long value, and does not");
  }

  page_guard& guard_;
  const std::byte* begin_;
  std::uint64_t count_ = 0;
  page_tree tree_;
  std::size_t depth_ = 0;
  std::array<level, max_depth> levels_;
};

page_guard::page_guard(MDB_env* env, const std::byte* map, std::size_t tables,
                       std::filesystem::path directory)
    : env_{env}, directory_{std::move(directory)}, map_{map}, tables_(tables + 2), seen_(chunks) {
  MDB_stat stat{};
  check(mdb_env_stat(env, &stat), "look at an environment");
  page_bytes_ = stat.ms_psize;
}

page_guard::~page_guard() {
  for (auto& each : seen_)
    delete each.load(std::memory_order_relaxed);
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

bool page_guard::was_seen(std::uint64_t page) const {
  if (page / pages_a_chunk >= chunks)
    return false;
  const auto* in = seen_[page / pages_a_chunk].load(std::memory_order_acquire);
  return in != nullptr &&
         ((*in)[page % pages_a_chunk / 64].load(std::memory_order_relaxed) >> (page % 64) & 1U) !=
             0;
}

void page_guard::saw(std::uint64_t page) {
  if (page / pages_a_chunk >= chunks)
    return;
  auto& place = seen_[page / pages_a_chunk];
  auto* in = place.load(std::memory_order_acquire);
  if (in == nullptr) {
    auto fresh = std::make_unique<chunk>();
    if (place.compare_exchange_strong(in, fresh.get(), std::memory_order_acq_rel))
      in = fresh.release();
  }
  (*in)[page % pages_a_chunk / 64].fetch_or(std::uint64_t{1} << (page % 64),
                                            std::memory_order_relaxed);
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
    way there{*this, tree};
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
  look(t, table, [&](way& there) { there.to(key); });
}

void page_guard::before_erasing(MDB_txn* t, MDB_dbi table) {
  look(t, table, [&](way& there) {
    for (there.to_first(); there.to_next_leaf();) {
    }
    trust(table);
  });
}

page_guard::edge page_guard::before_seek(MDB_txn* t, MDB_dbi table,
                                         std::span<const std::byte> key) {
  edge last = nullptr;
  look(t, table, [&](way& there) {
    there.to(key);
    if (compare_keys(there.last_key(), key) >= 0 || there.to_next_leaf())
      last = there.last_key().data();
  });
  return last;
}

page_guard::edge page_guard::before_first(MDB_txn* t, MDB_dbi table) {
  edge last = nullptr;
  look(t, table, [&](way& there) {
    there.to_first();
    last = there.last_key().data();
  });
  return last;
}

void page_guard::before_last(MDB_txn* t, MDB_dbi table) {
  look(t, table, [&](way& there) { there.to_last(); });
}

page_guard::edge page_guard::before_next(MDB_txn* t, MDB_dbi table,
                                         std::span<const std::byte> key) {
  edge last = nullptr;
  look(t, table, [&](way& there) {
    there.to(key);
    if (compare_keys(there.last_key(), key) > 0 || there.to_next_leaf())
      last = there.last_key().data();
  });
  return last;
}

void page_guard::before_previous(MDB_txn* t, MDB_dbi table, std::span<const std::byte> key) {
  look(t, table, [&](way& there) {
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
