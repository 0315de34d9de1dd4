#include <microlith/persistence/internal/id_table.hpp>
#include <microlith/persistence/internal/slot_growth.hpp>

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
  used_ = double_slots(
      slots_, slot_count_, [](const slot& s) { return s.number != 0 && s.number != vacant; },
      [](const slot& s) { return s.number == 0; }, [&](const slot& s) { return place(s.tag); });
}

}  // namespace microlith::internal
