#pragma once

// The states that a shard holds, how they are loaded from the journal, kept in snapshots and
// dropped. For the shard's actor alone; shard_actor.cpp decides on them.

#include <microlith/actors/internal/actors_part.hpp>

#include <boost/container_hash/hash.hpp>

#include <deque>
#include <list>
#include <string_view>

namespace microlith::internal {

struct pending_command {
  envelope message;
  unsigned conflicts = 0;
  erased_state prepared;
  unsigned preparations = 0;
  std::unique_ptr<snapshot> state_after = {};  // of its events, to be kept once they are durable
};

/// First in, first out. Most keys have one command at a time.
class command_line {
 public:
  [[nodiscard]] bool empty() const { return first_ == commands_.size(); }
  void push_back(pending_command&& command) { commands_.push_back(std::move(command)); }
  [[nodiscard]] pending_command pop_front() {
    auto command = std::move(commands_[first_++]);
    if (empty()) {
      commands_.clear();
      first_ = 0;
    } else if (first_ >= 64 && first_ * 2 >= commands_.size()) {
      commands_.erase(commands_.begin(), commands_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    return command;
  }

 private:
  boost::container::small_vector<pending_command, 1> commands_;
  std::size_t first_ = 0;
};

/// A stream's name with its hash, which a table of many asks for when it grows: by then the names
/// themselves lie in memory that nobody has touched for long.
struct hashed_name {
  std::string_view name;
  std::size_t hash = 0;

  explicit hashed_name(std::string_view n) : name{n}, hash{boost::hash<std::string_view>{}(n)} {}
  hashed_name(std::string_view n, std::size_t h) : name{n}, hash{h} {}

  friend bool operator==(const hashed_name& a, const hashed_name& b) {
    return a.hash == b.hash && a.name == b.name;
  }
  struct hasher {
    using is_avalanching = void;
    [[nodiscard]] std::size_t operator()(const hashed_name& n) const { return n.hash; }
  };
};

/// One state, and the commands that its events on their way came of.
struct instance {
  std::string stream;    // ends with the key
  std::size_t hash = 0;  // of the stream's name
  erased_state state;    // with the events that are on their way
  std::uint64_t version = 0;
  message_id last_append;    // that is on its way; empty: all is durable
  command_line unconfirmed;  // handed to the writer, in order
  bool broken = false;       // an append was refused: `state` is not true
  bool loaded = false;
  steady_time last_used{};

  // What waits while it is broken.
  struct waiting {
    command_line again;  // refused: to be decided from the journal
    command_line held;   // came while that goes on
  };
  std::unique_ptr<waiting> broken_off;

  [[nodiscard]] waiting& repair() {
    if (!broken_off)
      broken_off = std::make_unique<waiting>();
    return *broken_off;
  }
  [[nodiscard]] bool idle() const { return unconfirmed.empty() && !broken_off && !broken; }
};

using instances = std::list<instance, recycling_allocator<instance>>;

/// What a shard's actor knows.
struct shard_state {
  runtime* node = nullptr;
  std::shared_ptr<const decider_definition> decider;
  std::shared_ptr<inbox<envelope>> waiting;
  instances all;  // used last comes first
  boost::unordered_flat_map<hashed_name, instances::iterator, hashed_name::hasher> by_stream;
  std::deque<instance*> reports_due;  // the writer reports in the order in which it was asked
  std::unique_ptr<report_target> report_to;
  std::shared_ptr<prepared_target> prepared_to;
  std::vector<outgoing> decided;                  // empty between commands; keeps its memory
  std::vector<std::unique_ptr<append_job>> made;  // in this step, for the writer
  std::size_t preparing = 0;                      // commands that are with the workers
  bool sweeping = false;
  bool retiring = false;

  [[nodiscard]] snapshot_store* snapshots() const {
    return decider->options.snapshot_every != 0 ? node->actors().snapshots.get() : nullptr;
  }
};

/// The state as it is, to be kept; null where it cannot be encoded.
[[nodiscard]] std::unique_ptr<snapshot> take_snapshot(const shard_state& state, const instance& of,
                                                      message_id last_event);
/// Has it written; null: nothing.
void keep(const shard_state& state, std::unique_ptr<snapshot> kept);

/// Brings a state up to what the journal holds. Empty: it worked.
[[nodiscard]] std::optional<storage_error> load(shard_state& state, instance& of,
                                                bool may_use_snapshot = true);

/// The instance of a stream, now used last; a new one is not loaded. Past the bound the idle one
/// that was used least recently is dropped.
[[nodiscard]] instance& obtain(shard_state& state, std::string&& stream);
void drop(shard_state& state, instances::iterator at);

}  // namespace microlith::internal
