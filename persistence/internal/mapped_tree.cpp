#include <microlith/persistence/internal/mapped_tree.hpp>
#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

namespace microlith::internal {

using namespace page_layout;

const std::byte* begin_of_map(std::span<const std::byte> value, std::uint64_t page_bytes) {
  auto inside = reinterpret_cast<std::uintptr_t>(value.data()) & (page_bytes - 1);
  const auto* page = value.data() - inside;
  return page - load<word>(page) * page_bytes;
}

const std::byte* mapped_tree::page_at(std::uint64_t number) const {
  if (number < first_tree_page || number >= pages_.count)
    refuse_page(number, "is in use, and cannot be");
  const auto* page = pages_.begin + number * pages_.page_bytes;
  if (load<word>(page) != number)
    refuse_page(number, "says that it is another page");
  return page;
}

mapped_tree::open_page mapped_tree::enter(std::uint64_t number, std::uint16_t flags) const {
  const auto* page = page_at(number);
  if (load_short(page + page_flags_at) != flags)
    refuse_page(number, flags == leaf_flag ? "should hold entries, and does not"
                                           : "should lead to pages, and does not");
  std::size_t lower = load_short(page + bounds_at);
  std::size_t upper = load_short(page + bounds_at + 2);
  if (lower < head_bytes + sizeof(std::uint16_t) || lower % 2 != 0 || lower > upper ||
      upper > pages_.page_bytes)
    refuse_page(number, "has bounds that cannot be");
  return {page, number, upper, (lower - head_bytes) / sizeof(std::uint16_t), 0};
}

mapped_tree::node mapped_tree::node_at(const open_page& page, std::size_t index) const {
  std::size_t at = load_short(page.begin + head_bytes + index * sizeof(std::uint16_t));
  if (at < page.upper || at + node_head_bytes > pages_.page_bytes)
    refuse_page(page.number, "has an entry that is not within it");
  const auto* begin = page.begin + at;
  std::size_t key_bytes = load_short(begin + 6);
  if (key_bytes > pages_.page_bytes - at - node_head_bytes)
    refuse_page(page.number, "has an entry that leads out of it");
  return {{begin + node_head_bytes, key_bytes}, begin};
}

void mapped_tree::take(std::size_t index) {
  auto n = node_at(leaf_, index);
  auto flags = load_short(n.begin + 4);
  const auto* data = n.key.data() + n.key.size();
  auto size = load_halves(n.begin);
  auto room = static_cast<std::uint64_t>(leaf_.begin + pages_.page_bytes - data);
  if (flags == 0) {
    if (size > room)
      refuse_page(leaf_.number, "has an entry that leads out of it");
  } else if (flags == node_overflows) {
    if (room < sizeof(word))
      refuse_page(leaf_.number, "has an entry that leads out of it");
    auto number = load<word>(data);
    const auto* page = page_at(number);
    auto here = (pages_.count - number) * pages_.page_bytes - head_bytes;
    if (load_short(page + page_flags_at) != overflow_flag || size > here)
      refuse_page(number, "should hold a long value, and does not");
    data = page + head_bytes;
  } else {
    refuse_page(leaf_.number, "has an entry of a kind that is not used");
  }
  leaf_.at = index;
  key_ = n.key;
  value_ = {data, static_cast<std::size_t>(size)};
}

bool mapped_tree::find(std::span<const std::byte> key) {
  branch_ = leaf_ = {};
  if (tree_.root == no_page)
    return false;
  if (tree_.depth == 0 || tree_.depth > max_depth)
    refuse_page(tree_.root, "is the root of a tree of a depth that cannot be");
  auto number = tree_.root;
  for (auto above = tree_.depth; --above > 0;) {
    branch_ = enter(number, branch_flag);
    // The last entry whose key is not greater; the first one's is not looked at.
    for (std::size_t high = branch_.count; high - branch_.at > 1;) {
      auto middle = branch_.at + (high - branch_.at) / 2;
      (compare_keys(node_at(branch_, middle).key, key) <= 0 ? branch_.at : high) = middle;
    }
    number = child_of(node_at(branch_, branch_.at).begin);
  }
  leaf_ = enter(number, leaf_flag);
  std::size_t low = 0;
  for (std::size_t high = leaf_.count; low < high;) {
    auto middle = low + (high - low) / 2;
    if (compare_keys(node_at(leaf_, middle).key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == leaf_.count || compare_keys(node_at(leaf_, low).key, key) != 0)
    return false;
  take(low);
  return true;
}

bool mapped_tree::next_nearby() {
  if (leaf_.at + 1 < leaf_.count) {
    take(leaf_.at + 1);
    return true;
  }
  if (branch_.at + 1 >= branch_.count)
    return false;
  leaf_ = enter(child_of(node_at(branch_, ++branch_.at).begin), leaf_flag);
  take(0);
  return true;
}

}  // namespace microlith::internal
