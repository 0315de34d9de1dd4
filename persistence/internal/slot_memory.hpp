#pragma once

// Memory of hash tables: zeroed, and in huge pages where there are any, as every lookup is
// somewhere else. Free functions; any thread.

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace microlith::internal {

struct free_memory {
  void operator()(void* p) const { std::free(p); }
};

template <class Slot>
using slots = std::unique_ptr<Slot[], free_memory>;

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

/// Asks for huge pages for memory that is large and not touched yet.
inline void prefer_huge_pages(void* begin, std::size_t size) {
  auto address = reinterpret_cast<std::uintptr_t>(begin);
  auto first = (address + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
  auto end = (address + size) & ~(huge_page_bytes - 1);
  if (first < end)
    ::madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

template <class Slot>
slots<Slot> make_slots(std::size_t count) {
  const auto size = count * sizeof(Slot);
  if (size < huge_page_bytes) {
    slots<Slot> memory{static_cast<Slot*>(std::calloc(count, sizeof(Slot)))};
    if (!memory)
      throw std::bad_alloc{};
    return memory;
  }
  const auto rounded = (size + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
  slots<Slot> memory{static_cast<Slot*>(std::aligned_alloc(huge_page_bytes, rounded))};
  if (!memory)
    throw std::bad_alloc{};
  prefer_huge_pages(memory.get(), rounded);
  std::memset(static_cast<void*>(memory.get()), 0, size);
  return memory;
}

/// A power of two, at half when so many are in it.
inline std::size_t slots_for(std::size_t entries) {
  constexpr std::size_t smallest = 64;
  return std::bit_ceil(std::max(entries * 2, smallest));
}

/// Probes stay short up to there.
inline bool is_crowded(std::size_t used, std::size_t slots) {
  return (used + 1) * 3 > slots * 2;
}

}  // namespace microlith::internal
