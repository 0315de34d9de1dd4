#pragma once

// From message ids to numbers, in memory. It keeps 32 bits of a hash and no ids: whoever looks one
// up says which candidate it is. Not thread-safe.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/slot_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace microlith::internal {

class id_table {
 public:
  explicit id_table(std::size_t expected_ids);

  void add(message_id id, std::uint32_t number);
  /// Takes away what was added with this id and number.
  void remove(message_id id, std::uint32_t number);
  /// Takes all away and keeps the memory.
  void clear();

  /// The first number with this id; `is_it` tells whether a number is, as others may look alike.
  template <class F>
  [[nodiscard]] std::optional<std::uint32_t> find(message_id id, F is_it) const {
    auto tag = hash(id);
    for (auto i = place(tag);; i = (i + 1) & (slot_count_ - 1)) {
      const auto& slot = slots_[i];
      if (slot.number == 0)
        return std::nullopt;
      if (slot.tag == tag && slot.number != vacant && is_it(slot.number - 1))
        return slot.number - 1;
    }
  }

  /// Begins to load what adding or finding it will need.
  void prefetch(message_id id) const { __builtin_prefetch(&slots_[place(hash(id))], 1); }

 private:
  // An empty slot has number 0; others hold the number plus one. What was taken away leaves
  // `vacant`, so that lookups go on past it.
  static constexpr std::uint32_t vacant = std::numeric_limits<std::uint32_t>::max();
  struct slot {
    std::uint32_t tag;
    std::uint32_t number;
  };

  static std::uint32_t hash(message_id id) {
    return static_cast<std::uint32_t>(
        (id.low ^ (id.high * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL >> 32);
  }
  [[nodiscard]] std::size_t place(std::uint32_t tag) const { return tag & (slot_count_ - 1); }
  void grow();

  std::size_t slot_count_;
  std::size_t used_ = 0;
  slots<slot> slots_;
};

}  // namespace microlith::internal
