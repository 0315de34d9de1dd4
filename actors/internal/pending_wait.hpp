#pragma once

// A wait that has been filed, and how it ends where no answer ends it.

#include <microlith/actors/internal/raw_answer.hpp>
#include <microlith/messages/recycled.hpp>

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/set.hpp>

#include <chrono>
#include <memory>

namespace microlith::internal {

/// The table of conversations owns it until it ends.
class pending_wait : public boost::intrusive::set_base_hook<> {
 public:
  virtual ~pending_wait() = default;
  static void* operator new(std::size_t bytes) { return take_recycled(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { give_recycled(memory, bytes); }

  /// Called once, with the wait itself. Must neither block nor throw.
  virtual void complete(raw_answer&& answer, std::unique_ptr<pending_wait> self) = 0;

  correlation_id correlation;
  message_id bound;               ///< the dispatch that it is about; empty: any of the conversation
  bool bound_to_root = false;     ///< `bound` came from outside: what descends from it says so
  std::uint16_t bound_depth = 0;  ///< of `bound`, where a handler dispatched it
  boost::container::small_vector<const message_type*, 2> types;
  bool takes_accepted = false;  ///< ends when the dispatch ended well without an awaited message
  bool private_conversation = false;  ///< nobody else can know the correlation id: release the slot
  steady_time deadline = steady_time::max();
  std::chrono::milliseconds limit{0};  ///< for the text of the timeout

  [[nodiscard]] bool takes(const envelope& message) const;

  /// Filed by a handler together with its dispatch: nothing that has passed can be its answer.
  [[nodiscard]] bool precedes_its_dispatch() const { return !bound.empty() && !bound_to_root; }

  friend bool operator<(const pending_wait& a, const pending_wait& b) {
    return a.deadline < b.deadline;
  }
};

[[nodiscard]] failure stopped_failure();
[[nodiscard]] failure timeout_failure(const pending_wait& wait);
[[nodiscard]] failure forgotten_failure(const pending_wait& wait);

}  // namespace microlith::internal
