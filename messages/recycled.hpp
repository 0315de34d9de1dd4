#pragma once

// Memory of small objects that one thread makes and another ends, kept for the next ones.
//
// A general allocator gives such memory back to the thread that made it, under a lock; at a million
// messages a second that is its largest cost. Here each thread keeps what it ends, up to two
// batches a size, and passes whole batches on. Bounded: what is kept beyond `max_kept_bytes` a size
// goes back to the system. Any thread.

#include <cstddef>
#include <new>

namespace microlith::internal {

/// Sizes up to this are kept, in steps of 64 bytes.
inline constexpr std::size_t max_recycled_bytes = 512;

/// False under AddressSanitizer: there, every object has memory of its own, so that a use after its
/// end is seen.
[[nodiscard]] bool recycles_memory();

[[nodiscard]] void* take_recycled(std::size_t bytes);
void give_recycled(void* memory, std::size_t bytes) noexcept;

/// A standard allocator over it, for `std::allocate_shared`.
template <class T>
struct recycling_allocator {
  using value_type = T;

  recycling_allocator() = default;
  template <class U>
  explicit(false) recycling_allocator(const recycling_allocator<U>&) {}

  [[nodiscard]] T* allocate(std::size_t count) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(take_recycled(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    give_recycled(memory, count * sizeof(T));
  }
  friend bool operator==(const recycling_allocator&, const recycling_allocator&) { return true; }
};

}  // namespace microlith::internal
