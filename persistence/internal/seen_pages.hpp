#pragma once

// Which pages of an environment were looked at: a bit each, by number. Memory is taken as pages
// come. Any thread.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace microlith::internal {

class seen_pages {
 public:
  seen_pages() : chunks_(chunks) {}
  seen_pages(const seen_pages&) = delete;
  seen_pages& operator=(const seen_pages&) = delete;
  ~seen_pages();

  /// Never of a page past the last that there is room for: it is looked at each time.
  [[nodiscard]] bool holds(std::uint64_t page) const;
  void add(std::uint64_t page);

 private:
  static constexpr std::size_t pages_a_chunk = std::size_t{1} << 16;
  static constexpr std::size_t chunks = std::size_t{1} << 12;
  using chunk = std::array<std::atomic<std::uint64_t>, pages_a_chunk / 64>;

  std::vector<std::atomic<chunk*>> chunks_;  // made when they are needed
};

}  // namespace microlith::internal
