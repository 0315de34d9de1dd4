#pragma once

// A hash table of slots with linear probing becomes twice as large. Free function; any thread.

#include <microlith/persistence/internal/slot_memory.hpp>

#include <cstddef>
#include <utility>

namespace microlith::internal {

/// `is_used` tells a slot that holds something; `place_of` where one would be put in the larger
/// table; `is_free` a slot that never held anything. How many are used.
template <class Slot, class IsUsed, class IsFree, class PlaceOf>
std::size_t double_slots(slots<Slot>& table, std::size_t& count, IsUsed is_used, IsFree is_free,
                         PlaceOf place_of) {
  auto old = std::exchange(table, make_slots<Slot>(count * 2));
  auto old_count = std::exchange(count, count * 2);
  std::size_t used = 0;
  for (std::size_t from = 0; from < old_count; ++from) {
    const auto& moved = old[from];
    if (!is_used(moved))
      continue;
    auto i = place_of(moved);
    while (!is_free(table[i]))
      i = (i + 1) & (count - 1);
    table[i] = moved;
    ++used;
  }
  return used;
}

}  // namespace microlith::internal
