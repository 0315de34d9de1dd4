#pragma once

// Memory of hash tables: zeroed, and in huge pages where there are any, as every lookup is
// somewhere else. Free functions; any thread.

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
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

template <class Slot>
slots<Slot> make_slots(std::size_t count) {
  constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
  const auto size = count * sizeof(Slot);
  if (size < huge_page_bytes) {
    slots<Slot> memory{static_cast<Slot*>(std::calloc(count, sizeof(Slot)))};
    if (!memory)
      throw std::bad_alloc{};
    return memory;
  }
  slots<Slot> memory{static_cast<Slot*>(std::aligned_alloc(huge_page_bytes, size))};
  if (!memory)
    throw std::bad_alloc{};
  ::madvise(memory.get(), size, MADV_HUGEPAGE);
  std::memset(static_cast<void*>(memory.get()), 0, size);
  return memory;
}

struct unmap_memory {
  std::size_t size = 0;
  void operator()(void* p) const { ::munmap(p, size); }
};

template <class Slot>
using lazy_slots = std::unique_ptr<Slot[], unmap_memory>;

/// Zeroed as well, and no memory is taken for a page before it is written to: for what is large and
/// mostly may stay empty.
template <class Slot>
lazy_slots<Slot> make_lazy_slots(std::size_t count) {
  const auto size = count * sizeof(Slot);
  auto* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc{};
  return {static_cast<Slot*>(memory), unmap_memory{size}};
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
