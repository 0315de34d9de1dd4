#include "crash/page_map.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace microlith::test {

namespace {

constexpr std::size_t page_head_bytes = 16;
constexpr std::size_t meta_bytes = 136;
constexpr std::size_t tree_bytes = 48;
constexpr std::size_t free_tree_at = page_head_bytes + 24;
constexpr std::size_t main_tree_at = free_tree_at + tree_bytes;
constexpr std::size_t transaction_at = main_tree_at + tree_bytes + 8;
constexpr std::size_t root_in_tree_at = 40;
constexpr std::uint16_t branch_flag = 0x01;
constexpr std::uint16_t big_data_flag = 0x01;
constexpr std::uint16_t tree_flag = 0x02;
constexpr std::uint64_t no_page = ~std::uint64_t{0};

class mapper {
 public:
  explicit mapper(std::string content) : content_{std::move(content)} {}

  std::vector<meaningful_bytes> run() {
    page_bytes_ = number<std::uint32_t>(free_tree_at);
    auto newest =
        number<std::uint64_t>(page_bytes_ + transaction_at) > number<std::uint64_t>(transaction_at)
            ? page_bytes_
            : 0;
    add(newest, page_head_bytes + meta_bytes, "meta");
    tree(number<std::uint64_t>(newest + free_tree_at + root_in_tree_at), "free");
    tree(number<std::uint64_t>(newest + main_tree_at + root_in_tree_at), "main");
    return std::move(found_);
  }

 private:
  template <class T>
  [[nodiscard]] T number(std::uint64_t at) const {
    T value;
    if (at + sizeof value > content_.size())
      throw std::runtime_error{"the file ends within a page"};
    std::memcpy(&value, content_.data() + at, sizeof value);
    return value;
  }

  void add(std::uint64_t offset, std::uint64_t length, std::string what) {
    found_.push_back({offset, length, std::move(what)});
  }

  void tree(std::uint64_t root, const std::string& name) {
    if (root != no_page)
      page(root, name);
  }

  void page(std::uint64_t page_number, const std::string& name) {
    auto begin = page_number * page_bytes_;
    bool is_branch = (number<std::uint16_t>(begin + 10) & branch_flag) != 0;
    auto what = name + (is_branch ? ": branch" : ": leaf");
    auto lower = number<std::uint16_t>(begin + 12);
    add(begin, 8, what);  // the page's number; what follows it is not used
    add(begin + 10, lower - std::uint64_t{10}, what);
    for (std::uint64_t at = page_head_bytes; at < lower; at += 2) {
      auto node = begin + number<std::uint16_t>(begin + at);
      auto low = number<std::uint16_t>(node);
      auto high = number<std::uint16_t>(node + 2);
      auto flags = number<std::uint16_t>(node + 4);
      std::uint64_t key_bytes = number<std::uint16_t>(node + 6);
      auto value = node + 8 + key_bytes;
      if (is_branch) {
        // The first key of a branch stands for all that is less than the second.
        add(node, 8 + (at == page_head_bytes ? 0 : key_bytes), what);
        page(low | std::uint64_t{high} << 16 | std::uint64_t{flags} << 32, name);
        continue;
      }
      std::uint64_t value_bytes = low | std::uint64_t{high} << 16;
      if ((flags & big_data_flag) != 0) {
        add(node, 8 + key_bytes + 8, what);
        auto large = number<std::uint64_t>(value) * page_bytes_;
        add(large, 8, name + ": large value");
        add(large + 10, page_head_bytes - 10 + value_bytes, name + ": large value");
      } else if (name == "free") {
        // By which commit pages were freed means nothing when nobody reads any more.
        add(node, 8, what);
        add(value, value_bytes, what);
      } else {
        add(node, 8 + key_bytes + value_bytes, what);
      }
      if ((flags & tree_flag) != 0)
        tree(number<std::uint64_t>(value + root_in_tree_at), content_.substr(node + 8, key_bytes));
    }
  }

  std::string content_;
  std::uint64_t page_bytes_ = 0;
  std::vector<meaningful_bytes> found_;
};

}  // namespace

std::vector<meaningful_bytes> map_of(const std::filesystem::path& data_file) {
  std::ifstream in{data_file, std::ios::binary};
  return mapper{std::string{std::istreambuf_iterator<char>{in}, {}}}.run();
}

}  // namespace microlith::test
