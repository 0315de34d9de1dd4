#include <microlith/persistence/internal/page_layout.hpp>
#include <microlith/persistence/internal/tree_page.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace microlith::internal {

using namespace page_layout;

void refuse_page(std::uint64_t number, const std::string& what) {
  throw page_error{"page " + std::to_string(number) + " " + what};
}

namespace {

std::size_t check_entries(std::span<const std::byte> page, std::uint64_t number, tree_page kind) {
  const auto* raw = page.data();
  std::size_t lower = load_short(raw + bounds_at);
  std::size_t upper = load_short(raw + bounds_at + 2);
  // A page of 64 KiB does not fit the field; LMDB has none either.
  if (lower < head_bytes || lower % 2 != 0 || lower > upper || upper > page.size())
    refuse_page(number, "has bounds that cannot be");
  auto count = (lower - head_bytes) / sizeof(std::uint16_t);
  if (count == 0)
    refuse_page(number, "is empty, and in use");
  std::size_t used = 0;
  std::size_t lowest = page.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t at = load_short(raw + head_bytes + i * sizeof(std::uint16_t));
    if (at < upper || at % 2 != 0 || at + node_head_bytes > page.size())
      refuse_page(number, "has an entry that is not within it");
    auto flags = load_short(raw + at + 4);
    std::size_t size = node_head_bytes + load_short(raw + at + 6);
    if (kind != tree_page::branch) {
      if ((flags & ~(node_overflows | (kind == tree_page::leaf ? 0 : node_is_tree))) != 0)
        refuse_page(number, "has an entry of a kind that is not used");
      size += (flags & node_overflows) != 0 ? sizeof(word) : load_halves(raw + at);
    }
    if (size > page.size() - at)
      refuse_page(number, "has an entry that leads out of it");
    used += size + size % 2;
    lowest = std::min(lowest, at);
  }
  if (lowest != upper || used != page.size() - upper)
    refuse_page(number, "has entries that overlap or leave gaps");
  return count;
}

}  // namespace

std::size_t check_tree_page(std::span<const std::byte> page, std::uint64_t number, tree_page kind) {
  const auto* raw = page.data();
  auto wanted = kind == tree_page::branch ? branch_flag : leaf_flag;
  if (load<word>(raw) != number)
    refuse_page(number, "says that it is another page");
  if (load_short(raw + sizeof(word)) != 0)
    refuse_page(number, "has a field that should be 0");
  if (load_short(raw + page_flags_at) != wanted)
    refuse_page(number, kind == tree_page::branch ? "should lead to pages, and does not"
                                                  : "should hold entries, and does not");
  return check_entries(page, number, kind);
}

int compare_keys(std::span<const std::byte> a, std::span<const std::byte> b) {
  auto common = std::min(a.size(), b.size());
  int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  if (order != 0 || a.size() == b.size())
    return order;
  return a.size() < b.size() ? -1 : 1;
}

}  // namespace microlith::internal
