#include <microlith/persistence/internal/guarded_way.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

namespace microlith::internal {

using namespace page_layout;

guarded_way::guarded_way(const mapped_pages& pages, const page_tree& tree, seen_pages& seen)
    : pages_{pages}, tree_{tree}, seen_{&seen} {
  if (tree_.depth == 0 || tree_.depth > max_depth)
    refuse_page(tree_.root, "is the root of a tree of a depth that cannot be");
}

void guarded_way::to(std::span<const std::byte> key) {
  for (begin(); !at_leaf(); ++depth_) {
    auto& here = levels_[depth_];
    std::size_t low = 0;
    for (std::size_t high = here.count; high - low > 1;) {
      auto middle = low + (high - low) / 2;
      (compare_keys(key_at(here, middle), key) <= 0 ? low : high) = middle;
    }
    descend(low);
  }
}

void guarded_way::to_first() {
  for (begin(); !at_leaf(); ++depth_)
    descend(0);
}

void guarded_way::to_last() {
  for (begin(); !at_leaf(); ++depth_)
    descend(levels_[depth_].count - 1);
}

bool guarded_way::to_next_leaf() {
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

bool guarded_way::to_previous_leaf() {
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

const std::byte* guarded_way::entry_at(const level& of, std::size_t index) {
  return of.page + load_short(of.page + head_bytes + index * sizeof(std::uint16_t));
}

std::span<const std::byte> guarded_way::key_at(const level& of, std::size_t index) {
  const auto* entry = entry_at(of, index);
  return {entry + node_head_bytes, load_short(entry + 6)};
}

void guarded_way::begin() {
  enter(0, tree_.root, {}, {});
  depth_ = 0;
}

void guarded_way::descend(std::size_t index) {
  auto& here = levels_[depth_];
  here.at = index;
  enter(depth_ + 1, child_of(entry_at(here, index)), index > 0 ? key_at(here, index) : here.from,
        index + 1 < here.count ? key_at(here, index + 1) : here.to);
}

void guarded_way::enter(std::size_t depth, std::uint64_t number, std::span<const std::byte> from,
                        std::span<const std::byte> to) {
  if (number < first_tree_page || number >= pages_.count)
    refuse_page(number, "is in use, and cannot be");
  auto& here = levels_[depth];
  here = {pages_.begin + number * pages_.page_bytes, 0, 0, from, to};
  bool leaf = depth + 1 == tree_.depth;
  if (!seen_->holds(number)) {
    look_at(here, number, leaf);
    seen_->add(number);
  }
  // It may have been seen where another page leads to it.
  if (load<word>(here.page) != number ||
      load_short(here.page + page_flags_at) != (leaf ? leaf_flag : branch_flag))
    refuse_page(number, "is another page than it should be");
  here.count = (load_short(here.page + bounds_at) - head_bytes) / sizeof(std::uint16_t);
  std::size_t first = leaf ? 0 : 1;
  if (first < here.count && ((!from.empty() && compare_keys(key_at(here, first), from) < 0) ||
                             (!to.empty() && compare_keys(key_at(here, here.count - 1), to) >= 0)))
    refuse_page(number, "has keys that belong elsewhere");
}

void guarded_way::look_at(level& here, std::uint64_t number, bool leaf) const {
  here.count = check_tree_page({here.page, pages_.page_bytes}, number,
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

void guarded_way::look_at_long_value(std::uint64_t number, std::uint64_t bytes) const {
  auto pages = (head_bytes + bytes + pages_.page_bytes - 1) / pages_.page_bytes;
  if (number < first_tree_page || number >= pages_.count || pages > pages_.count - number)
    refuse_page(number, "is said to hold a long value, and cannot");
  const auto* page = pages_.begin + number * pages_.page_bytes;
  if (load<word>(page) != number || load_short(page + page_flags_at) != overflow_flag ||
      load<std::uint32_t>(page + bounds_at) != pages)
    refuse_page(number, "should hold a long value, and does not");
}

}  // namespace microlith::internal
