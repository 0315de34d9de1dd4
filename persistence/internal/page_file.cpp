#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/page_file.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace microlith::internal {

using namespace page_layout;

namespace {

// A commit may overwrite what the commit before the last one has freed, and the next may be on its
// way: a snapshot is whole as long as at most one commit has followed.
constexpr std::uint64_t harmless_commits = 1;
constexpr unsigned max_looks = 1000;

const char* way_out(int code) {
  switch (code) {
    case EACCES:
      return ". Mend its permissions, or be its owner";
    case EISDIR:
    case EINVAL:
      return ". It should be a file that a node has written: name that node's data directory";
    default:
      return "";
  }
}

std::string number_text(std::uint64_t page) {
  return "page " + std::to_string(page);
}

}  // namespace

page_file_error::page_file_error(int code, const std::string& attempted)
    : std::runtime_error{attempted + ": " + std::generic_category().message(code) + way_out(code)},
      code_{code} {}

page_file::page_file(std::filesystem::path file)
    : path_{std::move(file)}, file_{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {
  if (file_ < 0)
    throw page_file_error{errno, "open " + path_.string()};
  struct stat status {};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file_);
    throw page_file_error{S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "open " + path_.string()};
  }
}

page_file::~page_file() {
  ::close(file_);
}

std::uint64_t page_file::bytes() const {
  struct stat status {};
  return ::fstat(file_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::optional<page_snapshot> page_file::look() const {
  // Behind the two trees: last page, transaction.
  constexpr std::size_t end_at = trees_at + 2 * tree_bytes;
  std::array<std::byte, end_at + 2 * sizeof(word)> raw;
  for (unsigned attempt = 0; attempt < max_looks; ++attempt) {
    auto newest = newest_meta_page(file_);
    if (!newest)
      return std::nullopt;
    if (::pread(file_, raw.data(), raw.size(),
                static_cast<off_t>(newest->number * newest->page_bytes)) !=
        static_cast<ssize_t>(raw.size()))
      return std::nullopt;
    page_snapshot seen{.transaction = newest->transaction,
                       .last_page = newest->last_page,
                       .page_bytes = newest->page_bytes,
                       .free = tree_from(raw.data() + trees_at),
                       .main = tree_from(raw.data() + trees_at + tree_bytes),
                       .hash = newest->hash};
    // A commit may have come between: then it is another transaction's page by now.
    if (load<word>(raw.data() + end_at) == seen.last_page &&
        load<word>(raw.data() + end_at + sizeof(word)) == seen.transaction && intact(seen))
      return seen;
  }
  return std::nullopt;
}

bool page_file::intact(const page_snapshot& seen) const {
  auto now = newest_meta_page(file_);
  return now && now->transaction >= seen.transaction &&
         now->transaction - seen.transaction <= harmless_commits;
}

void page_file::read(const page_snapshot& seen, std::uint64_t page,
                     std::span<std::byte> out) const {
  auto at = page * seen.page_bytes;
  while (!out.empty()) {
    auto got = ::pread(file_, out.data(), out.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw page_file_error{errno, "read " + number_text(page) + " of " + path_.string()};
    if (got == 0)
      throw page_error{number_text(page) + " is behind the end of the file"};
    at += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

page_cursor::page_cursor(const page_file& file, const page_snapshot& seen, const page_tree& tree,
                         page_listener* listener, bool integer_keys)
    : file_{&file},
      snapshot_{seen},
      listener_{listener},
      integer_keys_{integer_keys},
      holds_trees_{tree.root == seen.main.root},
      root_{tree.root} {
  if (root_ == no_page)
    return;
  if (tree.depth == 0 || tree.depth > max_depth)
    fail(root_, "is the root of a tree that is " + std::to_string(tree.depth) + " pages deep");
  levels_.resize(tree.depth);
}

void page_cursor::fail(std::uint64_t page, const std::string& what) {
  refuse_page(page, what);
}

int page_cursor::compare(std::span<const std::byte> a, std::span<const std::byte> b) const {
  if (integer_keys_) {
    auto left = a.size() == sizeof(word) ? page_layout::load<word>(a.data()) : 0;
    auto right = b.size() == sizeof(word) ? page_layout::load<word>(b.data()) : 0;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return compare_keys(a, b);
}

page_cursor::node page_cursor::node_at(const level& l, std::size_t index) const {
  // `check` has seen that all of it lies within the page.
  const auto* page = l.page.data();
  const auto* at = page + load_short(page + head_bytes + index * sizeof(std::uint16_t));
  auto flags = load_short(at + 4);
  auto key_bytes = load_short(at + 6);
  node n;
  n.key = {at + node_head_bytes, key_bytes};
  if (load_short(page + page_flags_at) == branch_flag) {
    n.child = child_of(at);
    return n;
  }
  n.flags = flags;
  n.data_bytes = load_halves(at);
  auto here = (flags & node_overflows) != 0 ? sizeof(word) : n.data_bytes;
  n.data = {at + node_head_bytes + key_bytes, static_cast<std::size_t>(here)};
  return n;
}

void page_cursor::check(std::size_t depth, std::uint64_t page) {
  auto& l = levels_[depth];
  bool leaf = depth + 1 == levels_.size();
  l.count = check_tree_page(l.page, page,
                            !leaf          ? tree_page::branch
                            : holds_trees_ ? tree_page::leaf_with_trees
                                           : tree_page::leaf);
  // The first key of a branch is not looked at.
  std::span<const std::byte> before = l.from;
  for (std::size_t i = leaf ? 0 : 1; i < l.count; ++i) {
    auto key = node_at(l, i).key;
    bool first_of_leaf = i == 0;
    if (integer_keys_ && key.size() != sizeof(word))
      fail(page, "has a key of the wrong size");
    int order = before.empty() ? -1 : compare(before, key);
    if (order > 0 || (order == 0 && !first_of_leaf) || (!l.to.empty() && compare(key, l.to) >= 0))
      fail(page, "has keys out of order");
    before = key;
  }
}

void page_cursor::load(std::size_t depth, std::uint64_t page) {
  if (page < first_tree_page || page > snapshot_.last_page)
    fail(page, "is in use, and cannot be: the last one is " + std::to_string(snapshot_.last_page));
  if (listener_ != nullptr)
    listener_->page(page, 1);
  auto& l = levels_[depth];
  l.page.resize(snapshot_.page_bytes);
  file_->read(snapshot_, page, l.page);
  check(depth, page);
  if (depth + 1 == levels_.size())
    ++pages_seen_.leaves;
  else
    ++pages_seen_.branches;
}

void page_cursor::load_below(std::size_t depth) {
  auto& above = levels_[depth];
  auto& below = levels_[depth + 1];
  auto down = node_at(above, above.at);
  below.from = above.from;
  below.to = above.to;
  if (above.at > 0)
    below.from.assign(down.key.begin(), down.key.end());
  if (above.at + 1 < above.count) {
    auto next_key = node_at(above, above.at + 1).key;
    below.to.assign(next_key.begin(), next_key.end());
  }
  load(depth + 1, down.child);
}

bool page_cursor::descend(std::size_t from_depth, bool to_last) {
  for (auto depth = from_depth + 1; depth < levels_.size(); ++depth) {
    load_below(depth - 1);
    levels_[depth].at = to_last ? levels_[depth].count - 1 : 0;
  }
  take_key();
  return true;
}

void page_cursor::take_key() {
  key_ = node_at(levels_.back(), levels_.back().at).key;
}

bool page_cursor::first() {
  if (root_ == no_page)
    return false;
  load(0, root_);
  levels_[0].at = 0;
  return descend(0, false);
}

bool page_cursor::last() {
  if (root_ == no_page)
    return false;
  load(0, root_);
  levels_[0].at = levels_[0].count - 1;
  return descend(0, true);
}

bool page_cursor::next() {
  for (auto depth = levels_.size(); depth-- > 0;) {
    auto& l = levels_[depth];
    if (l.at + 1 < l.count) {
      ++l.at;
      return descend(depth, false);
    }
  }
  return false;
}

bool page_cursor::seek(std::span<const std::byte> key) {
  if (root_ == no_page)
    return false;
  load(0, root_);
  for (std::size_t depth = 0; depth < levels_.size(); ++depth) {
    auto& l = levels_[depth];
    bool leaf = depth + 1 == levels_.size();
    std::size_t at = leaf ? 0 : 1;
    while (at < l.count &&
           (leaf ? compare(node_at(l, at).key, key) < 0 : compare(node_at(l, at).key, key) <= 0))
      ++at;
    if (!leaf) {
      l.at = at - 1;
      load_below(depth);
      continue;
    }
    if (at == l.count) {
      l.at = l.count - 1;
      return next();
    }
    l.at = at;
  }
  take_key();
  return true;
}

std::span<const std::byte> page_cursor::value() {
  auto n = node_at(levels_.back(), levels_.back().at);
  if ((n.flags & node_overflows) == 0)
    return n.data;
  std::uint64_t page = page_layout::load<word>(n.data.data());
  auto count = (head_bytes + n.data_bytes + snapshot_.page_bytes - 1) / snapshot_.page_bytes;
  if (page < first_tree_page || page > snapshot_.last_page ||
      count > snapshot_.last_page - page + 1)
    fail(page, "is said to hold a long value, and cannot: the last one is " +
                   std::to_string(snapshot_.last_page));
  // The head first: no memory is taken for what is not there.
  std::array<std::byte, head_bytes> head;
  file_->read(snapshot_, page, head);
  if (page_layout::load<word>(head.data()) != page || load_short(head.data() + sizeof(word)) != 0 ||
      load_short(head.data() + page_flags_at) != overflow_flag ||
      page_layout::load<std::uint32_t>(head.data() + bounds_at) != count)
    fail(page, "should hold a long value, and does not");
  if (listener_ != nullptr)
    listener_->page(page, count);
  overflow_.resize(count * snapshot_.page_bytes);
  file_->read(snapshot_, page, overflow_);
  pages_seen_.overflows += count;
  return {overflow_.data() + head_bytes, static_cast<std::size_t>(n.data_bytes)};
}

std::optional<page_tree> page_cursor::tree() const {
  auto n = node_at(levels_.back(), levels_.back().at);
  if (n.flags != node_is_tree || n.data.size() != tree_bytes)
    return std::nullopt;
  return tree_from(n.data.data());
}

std::string meta_page_problem(const page_file& file, const page_snapshot& seen) {
  constexpr std::size_t version_at = head_bytes + 4;
  constexpr std::size_t page_bytes_at = trees_at;
  constexpr std::size_t transaction_at = trees_at + 2 * tree_bytes + sizeof(word);
  std::uint64_t transactions[2]{};
  for (std::uint64_t number : {0, 1}) {
    std::array<std::byte, transaction_at + sizeof(word)> raw;
    file.read(seen, number, raw);
    if (load<word>(raw.data()) != number || load_short(raw.data() + sizeof(word)) != 0 ||
        load_short(raw.data() + page_flags_at) != page_layout::meta_flag ||
        load<std::uint32_t>(raw.data() + head_bytes) != lmdb_magic ||
        load<std::uint32_t>(raw.data() + version_at) != lmdb_data_version ||
        load<std::uint32_t>(raw.data() + page_bytes_at) != seen.page_bytes)
      return "meta page " + std::to_string(number) + " is none";
    transactions[number] = load<word>(raw.data() + transaction_at);
  }
  auto older = std::min(transactions[0], transactions[1]);
  auto newer = std::max(transactions[0], transactions[1]);
  // A node has committed since: what was seen then is checked by its own pages.
  if (newer > seen.transaction)
    return {};
  if (newer != seen.transaction || newer - older > 1)
    return "the meta pages are of transactions " + std::to_string(older) + " and " +
           std::to_string(newer) + ", which do not follow one another";
  return {};
}

std::optional<page_tree> find_tree(const page_file& file, const page_snapshot& seen,
                                   std::string_view name) {
  page_cursor main{file, seen, seen.main};
  if (!main.seek(as_key(name)) || !std::ranges::equal(main.key(), as_key(name)))
    return std::nullopt;
  return main.tree();
}

}  // namespace microlith::internal
