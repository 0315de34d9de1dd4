#pragma once

// The message types of one journal, interned: records name them by a number.
//
// Interning belongs to the appending thread; a new type is pending until its batch is committed.
// Looking a number up may be done by any thread.

#include <microlith/messages/catalog.hpp>
#include <microlith/messages/message_type.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/record.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace microlith::internal {

/// Every version of every event type of an application counts.
inline constexpr std::uint32_t max_types = 16'384;

class type_registry {
 public:
  type_registry();

  /// What the journal holds; in order of ids, from 1 on without a gap. False where it is not.
  [[nodiscard]] bool load(stored_type type);

  /// An error where the application knows a type of the journal with another layout.
  [[nodiscard]] std::optional<storage_error> check(const type_catalog& catalog) const;

  /// Takes over which fields the application calls sensitive; before anybody reads. Those that
  /// changed are `renewed` until the next commit.
  void adopt(const type_catalog& catalog);
  [[nodiscard]] const std::vector<const stored_type*>& renewed() const { return renewed_; }

  /// The number of a type, or why it cannot be written.
  [[nodiscard]] result<std::uint32_t, std::string> intern(const message_type& type);

  /// Types interned since the last commit.
  [[nodiscard]] std::span<const std::unique_ptr<stored_type>> pending() const;
  void committed() {
    committed_.store(types_.size(), std::memory_order_release);
    renewed_.clear();
  }
  void take_back();

  /// Null where there is none. Any thread.
  [[nodiscard]] const stored_type* find(std::uint32_t id) const {
    return id < max_types ? by_id_[id].load(std::memory_order_acquire) : nullptr;
  }
  /// Any thread.
  [[nodiscard]] std::vector<stored_type> all() const;

 private:
  void publish();

  std::vector<std::unique_ptr<stored_type>> types_;
  std::vector<const stored_type*> renewed_;
  std::atomic<std::size_t> committed_{0};
  std::unordered_map<const message_type*, std::uint32_t> known_;
  const message_type* last_ = nullptr;
  std::uint32_t last_id_ = 0;
  std::unique_ptr<std::atomic<const stored_type*>[]> by_id_;
};

/// A stored type as the `types` table holds it.
[[nodiscard]] bytes encode_type(const stored_type& type);
[[nodiscard]] std::optional<stored_type> decode_type(std::uint32_t id,
                                                     std::span<const std::byte> in);

}  // namespace microlith::internal
