#pragma once

// What a durable subscription remembers, where the journal is on another node: it is kept there, so
// that it is the same wherever the subscription runs.
//
// Each call asks that node and blocks until the answer is there, for a limited time; where it
// cannot be reached a call ends as `unreachable` at once. Doing a change again does it once.

#include <microlith/actors/internal/cluster/remote_journal.hpp>
#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace microlith::internal {

/// Who asks: a component, in the epoch in which it was begun.
struct store_owner {
  std::string component;
  std::uint64_t epoch = 0;
};

class remote_subscription final : public subscription_store {
 public:
  [[nodiscard]] static result<std::unique_ptr<subscription_store>, storage_error> open(
      const std::string& name, subscription_start start, remote_reader& from, store_owner owner);

  const std::string& name() const override { return name_; }
  const std::string& note() const override { return note_; }
  std::uint64_t checkpoint() const override { return checkpoint_.load(); }
  std::uint64_t held_keys() const override { return held_keys_.load(); }
  std::uint64_t parked_keys() const override { return parked_keys_.load(); }
  std::uint64_t held_events() const override { return held_events_.load(); }
  std::uint64_t parked_events() const override { return parked_events_.load(); }

  result<std::optional<held_key>, storage_error> find(std::string_view key) const override;
  result<std::vector<held_key>, storage_error> held(const std::optional<std::string>& after,
                                                    std::size_t limit) const override;
  result<std::vector<std::uint64_t>, storage_error> positions_of(std::string_view key,
                                                                 std::uint64_t after,
                                                                 std::size_t limit) const override;
  result<void, storage_error> save_checkpoint(std::uint64_t position, message_id event) override;
  result<void, storage_error> hold(const held_key& how,
                                   std::span<const std::uint64_t> positions) override;
  result<void, storage_error> hold_behind(std::span<const held_event> events) override;
  result<void, storage_error> failed_again(std::string_view key, unsigned attempts, bool parked,
                                           const std::string& why) override;
  result<bool, storage_error> finished(std::string_view key, std::uint64_t position) override;
  result<bool, storage_error> replay(std::string_view key) override;
  result<std::uint64_t, storage_error> drop(std::string_view key,
                                            std::optional<std::uint64_t> position) override;

 private:
  remote_subscription(std::string name, subscription_start start, remote_reader& from,
                      store_owner owner)
      : name_{std::move(name)}, start_{start}, from_{from}, owner_{std::move(owner)} {}

  [[nodiscard]] wire::store_call about(wire::store_action what, std::string_view key = {}) const;
  [[nodiscard]] result<wire::store_answer, storage_error> ask(wire::store_call call) const;
  [[nodiscard]] result<void, storage_error> change(wire::store_call call);

  const std::string name_;
  const subscription_start start_;
  remote_reader& from_;
  const store_owner owner_;
  std::string note_;
  mutable std::atomic<std::uint64_t> checkpoint_{0};
  mutable std::atomic<std::uint64_t> held_keys_{0};
  mutable std::atomic<std::uint64_t> parked_keys_{0};
  mutable std::atomic<std::uint64_t> held_events_{0};
  mutable std::atomic<std::uint64_t> parked_events_{0};
};

/// What a store says to a call of another node.
[[nodiscard]] result<wire::store_answer, storage_error> answer_of(subscription_store& store,
                                                                  const wire::store_call& call);

}  // namespace microlith::internal
