#pragma once

// The durable subscriptions of a data directory as files, without their definitions: what a tool
// can see and do of them. Looking never writes, and may be done beside a node; replaying and
// dropping take the directory's owner lock, so a node that runs refuses them (and has functions of
// its own for both). Any thread.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

struct stored_held_key {
  held_key held;
  std::uint64_t first_position = 0;  ///< of its first event
};

struct stored_subscription {
  std::string name;
  std::uint64_t checkpoint = 0;  ///< position up to which every event is done or held
  std::uint64_t behind = 0;      ///< events of the journal that come after it
  std::uint64_t held_keys = 0;
  std::uint64_t held_events = 0;
  std::vector<stored_held_key> keys;  ///< in an order of their own; not all where they are many
  std::uint64_t file_bytes = 0;
  bool fits_journal = true;  ///< otherwise it begins again at the next start
  std::string problem;       ///< why it cannot be looked at; empty: it can
};

/// By name; of each at most `max_keys` of what it holds.
[[nodiscard]] result<std::vector<stored_subscription>, storage_error> stored_subscriptions(
    const std::filesystem::path& data, std::size_t max_keys = 100);

/// Has the parked events of a key, or of all keys, delivered again at the next start. How many
/// keys; an error where the one that is named is not parked.
[[nodiscard]] result<std::uint64_t, storage_error> replay_parked(
    const std::filesystem::path& data, std::string_view subscription,
    const std::optional<std::string>& key);

/// Forgets parked events for good: of a key (all, or the one at a position), or of all keys. How
/// many events; an error where there is none.
[[nodiscard]] result<std::uint64_t, storage_error> drop_parked(
    const std::filesystem::path& data, std::string_view subscription,
    const std::optional<std::string>& key, std::optional<std::uint64_t> position = {});

}  // namespace microlith
