#pragma once

// A decider without its C++ types: what shards and workers run.

#include <microlith/actors/internal/handling.hpp>
#include <microlith/messages/envelope.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <vector>

namespace microlith {

struct decider_options {
  unsigned shards = 0;             ///< actors that share the keys; 0: one a core
  std::chrono::seconds idle{300};  ///< a state that nobody asked for this long is dropped
  std::size_t max_states_per_shard = 100'000;  ///< past it the one idle the longest is dropped
  unsigned max_conflicts =
      5;  ///< a command is decided this often again before it ends as `conflict`
  /// Events of a stream between snapshots of its state; 0: none are kept. The state must be
  /// described, with all fields that `evolve` and `decide` rely on and no secret.
  unsigned snapshot_every = 0;
  /// Raise it when `evolve` makes something else of the same events. Changed fields and changed
  /// events are noticed without that.
  std::uint16_t snapshot_version = 1;
};

/// What a decision may know beside the state and the command. Valid during the call.
struct decision_info {
  const principal& who;
  wall_time now;
  message_id command;
  correlation_id correlation;
};

namespace internal {

/// The state of one stream, owned by one shard.
using erased_state = std::shared_ptr<void>;

struct decider_command {
  const message_type* type = nullptr;
  std::function<std::string(const void* command)> key;
  /// Appends what was decided. `prepared` is null where there is no `prepare`.
  std::function<void(const void* state, const envelope& command, const void* prepared,
                     const decision_info& info, const std::string& stream,
                     std::vector<outgoing>& out)>
      decide;
  std::function<erased_state(const void* state, const void* command)> prepare;  ///< or empty
  /// Whether what `prepare` relied on is still so.
  std::function<bool(const void* state, const void* command, const void* prepared)> still_holds;
};

/// How a state is written into a snapshot and read from one.
struct snapshot_codec {
  std::uint64_t fingerprint = 0;
  void (*encode)(const void* state, bytes& out) = nullptr;
  erased_state (*decode)(std::span<const std::byte> in) = nullptr;  ///< null: it is none
};

struct decider_definition {
  std::string category;  ///< of its streams
  std::string component;
  std::source_location place;
  decider_options options;
  std::vector<decider_command> commands;
  std::vector<const message_type*> publishes;
  std::function<erased_state()> initial;
  std::function<erased_state(const void* state)> copy;
  std::optional<snapshot_codec> snapshots;  ///< where the state can be kept
  boost::unordered_flat_map<const message_type*, void (*)(void* state, const void* event)> evolve;

  [[nodiscard]] const decider_command* find(const message_type& type) const {
    for (const auto& command : commands) {
      if (command.type == &type)
        return &command;
    }
    return nullptr;
  }
};

}  // namespace internal
}  // namespace microlith
