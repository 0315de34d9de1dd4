#include <microlith/persistence/internal/id_table.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

id_table::id_table(std::size_t expected_ids)
    : slot_count_{slots_for(expected_ids)}, slots_{make_slots<slot>(slot_count_)} {}

void id_table::add(message_id id, std::uint32_t number) {
  if (is_crowded(used_, slot_count_))
    grow();
  auto tag = hash(id);
  for (auto i = place(tag);; i = (i + 1) & (slot_count_ - 1)) {
    auto& slot = slots_[i];
    if (slot.number == 0 || slot.number == vacant) {
      used_ += slot.number == 0 ? 1 : 0;
      slot = {tag, number + 1};
      return;
    }
  }
}

void id_table::remove(message_id id, std::uint32_t number) {
  auto tag = hash(id);
  for (auto i = place(tag); slots_[i].number != 0; i = (i + 1) & (slot_count_ - 1)) {
    if (slots_[i].number == number + 1 && slots_[i].tag == tag) {
      slots_[i].number = vacant;
      return;
    }
  }
}

void id_table::clear() {
  std::fill_n(slots_.get(), slot_count_, slot{});
  used_ = 0;
}

void id_table::grow() {
  auto old = std::exchange(slots_, make_slots<slot>(slot_count_ * 2));
  auto old_count = std::exchange(slot_count_, slot_count_ * 2);
  used_ = 0;
  for (std::size_t from = 0; from < old_count; ++from) {
    auto moved = old[from];
    if (moved.number == 0 || moved.number == vacant)
      continue;
    auto i = place(moved.tag);
    while (slots_[i].number != 0)
      i = (i + 1) & (slot_count_ - 1);
    slots_[i] = moved;
    ++used_;
  }
}

}  // namespace microlith::internal
