#include <microlith/persistence/internal/environment_check.hpp>
#include <microlith/persistence/internal/page_layout.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace microlith::internal {

namespace {

constexpr std::uint64_t meta_pages = 2;

std::string quoted(std::string_view table) {
  return table.empty() ? "the main table" : "table " + std::string{table};
}

}  // namespace

environment_check::environment_check(const page_file& file, const page_snapshot& seen)
    : file_{&file}, snapshot_{seen} {
  auto needed = (seen.last_page + 1) * seen.page_bytes;
  if (seen.last_page >= file.bytes() / seen.page_bytes)
    throw page_error{"the file has " + std::to_string(file.bytes()) + " bytes and must have " +
                     std::to_string(needed) + ": it was cut"};
  taken_.resize(seen.last_page + 1);
}

void environment_check::page(std::uint64_t number, std::uint64_t count) {
  for (; count > 0; --count, ++number) {
    if (number >= taken_.size() || taken_[number])
      throw page_error{"page " + std::to_string(number) + " is used twice, or is used and free"};
    taken_[number] = true;
  }
}

void environment_check::check_meta_pages() const {
  // A commit between two reads would look like damage, and shows in the snapshot.
  const auto wrong = meta_page_problem(*file_, snapshot_);
  if (!wrong.empty())
    throw page_error{wrong};
}

void environment_check::compare(std::string_view name, const page_tree& tree,
                                const page_cursor::pages_seen& seen, std::uint64_t entries) const {
  if (seen.branches != tree.branch_pages || seen.leaves != tree.leaf_pages ||
      seen.overflows != tree.overflow_pages || entries != tree.entries)
    throw page_error{quoted(name) + " says that it has " + std::to_string(tree.entries) +
                     " entries on " + std::to_string(tree.pages()) + " pages, and has " +
                     std::to_string(entries) + " on " +
                     std::to_string(seen.branches + seen.leaves + seen.overflows)};
  if (tree.flags != 0)
    throw page_error{quoted(name) + " is of another kind than it was made"};
  if (tree.root == no_page && tree.depth != 0)
    throw page_error{quoted(name) + " is empty and says that it has pages"};
}

void environment_check::walk_tree(std::string_view name, const page_tree& tree,
                                  entry_visitor visit) {
  page_cursor cursor{*file_, snapshot_, tree, this};
  std::uint64_t entries = 0;
  for (bool more = cursor.first(); more; more = cursor.next()) {
    ++entries;
    visit(name, cursor.key(), cursor.value());
  }
  compare(name, tree, cursor.seen(), entries);
}

void environment_check::walk(entry_visitor visit, std::string_view skipped) {
  check_meta_pages();
  page_cursor main{*file_, snapshot_, snapshot_.main, this};
  std::uint64_t entries = 0;
  for (bool more = main.first(); more; more = main.next()) {
    ++entries;
    std::string name{reinterpret_cast<const char*>(main.key().data()), main.key().size()};
    auto tree = main.tree();
    if (!tree)
      visit({}, main.key(), main.value());
    else if (name != skipped)
      walk_tree(name, *tree, visit);
  }
  compare({}, snapshot_.main, main.seen(), entries);
}

void environment_check::walk_free() {
  page_cursor free{*file_, snapshot_, snapshot_.free, this, true};
  std::uint64_t entries = 0;
  for (bool more = free.first(); more; more = free.next()) {
    ++entries;
    // Native words, as LMDB has them.
    std::size_t transaction = 0;
    std::memcpy(&transaction, free.key().data(), sizeof transaction);
    auto pages = free.value();
    auto number_at = [&](std::size_t index) {
      std::size_t number = 0;
      std::memcpy(&number, pages.data() + index * sizeof number, sizeof number);
      return number;
    };
    auto room = pages.size() / sizeof(std::size_t);
    if (transaction > snapshot_.transaction || room == 0 ||
        pages.size() % sizeof(std::size_t) != 0 || number_at(0) > room - 1)
      throw page_error{"the list of free pages is not one"};
    for (std::size_t i = 1; i <= number_at(0); ++i) {
      if (number_at(i) < meta_pages)
        throw page_error{"the list of free pages holds a meta page"};
      page(number_at(i), 1);
    }
  }
  auto tree = snapshot_.free;
  if (tree.flags != page_layout::integer_keys)
    throw page_error{"the table of free pages is of another kind than it was made"};
  tree.flags = 0;
  compare("(free)", tree, free.seen(), entries);
}

void environment_check::account() {
  walk_free();
  auto lost = std::find(taken_.begin() + meta_pages, taken_.end(), false);
  if (lost != taken_.end())
    throw page_error{"page " + std::to_string(lost - taken_.begin()) + " is neither used nor free"};
}

environment_result check_steadily(const page_file& file,
                                  function_ref<void(const page_snapshot&, environment_check&)> walk,
                                  unsigned walks) {
  for (unsigned attempt = 0; attempt < walks; ++attempt) {
    auto seen = file.look();
    if (!seen)
      return {"neither meta page is one"};
    std::string problem;
    try {
      environment_check check{file, *seen};
      walk(*seen, check);
    } catch (const page_error& error) {
      problem = error.what();
    }
    if (file.intact(*seen))
      return {problem};
  }
  return {{}, true};
}

}  // namespace microlith::internal
