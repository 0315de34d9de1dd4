#pragma once

// What the runtime's actors say to each other. Free of CAF, but for handles that are kept opaque.

#include <microlith/actors/internal/decider_definition.hpp>
#include <microlith/actors/internal/handling.hpp>
#include <microlith/actors/internal/raw_answer.hpp>
#include <microlith/messages/recycled.hpp>
#include <microlith/persistence/append.hpp>
#include <microlith/persistence/snapshot_store.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace microlith::internal {

/// A wait asked for by a CAF request.
struct wait_request {
  wait_spec spec;
  steady_time deadline;
};

struct answer_message {
  raw_answer answer;
};

/// The wait with this number, in the actor that gets it, has ended.
struct continuation_message {
  std::uint64_t number = 0;
  raw_answer answer;
};

/// How far the handling of one message is, as its handler and the writer see it. It ends once.
class handling_progress {
 public:
  /// True for the one that ends it.
  [[nodiscard]] bool end() { return !ended_.exchange(true, std::memory_order_acq_rel); }
  [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
  /// Position of the last event appended so far.
  std::atomic<std::uint64_t> position{0};

 private:
  std::atomic<bool> ended_{false};
};

/// Events and rejections for one live subscriber, in order.
struct event_batch {
  std::vector<envelope> messages;
  std::uint64_t missed_from = 0;  ///< events between these were not sent; 0: none
  std::uint64_t missed_to = 0;
};

/// What became of a shard's appends, in the order in which it asked for them: so many that were
/// done, then one that was not (or, at the end, none).
struct append_report {
  std::size_t done = 0;
  std::optional<append_outcome> then;
};

struct append_reports {
  std::vector<append_report> reports;

  void add(append_outcome&& outcome) {
    if (reports.empty() || reports.back().then)
      reports.emplace_back();
    if (std::holds_alternative<appended>(outcome))
      ++reports.back().done;
    else
      reports.back().then = std::move(outcome);
  }
};

/// Where the writer reports to. Lives until the last report that is due has come, or the writer has
/// ended.
class report_target {
 public:
  virtual ~report_target() = default;
  virtual void report(append_reports&& reports) = 0;
  /// The component that asks, where the cause does not tell; empty: it does.
  [[nodiscard]] virtual std::string_view component() const { return {}; }
};

/// A node that asks another one for an append.
struct asker {
  std::string node;
  std::uint64_t ticket = 0;  ///< its number for it
};

/// What one handling asks of the journal: its events, and what follows when they are durable. Made
/// by handlers, ended by the writer.
struct append_job {
  static void* operator new(std::size_t bytes) { return take_recycled(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { give_recycled(memory, bytes); }

  append_request request;
  std::vector<envelope> rejections;
  std::vector<outgoing> then_send;  ///< commands and queries that leave after the commit
  envelope cause;                   ///< the message that was handled
  bool ends_cause = false;          ///< the handling of `cause` ends with this
  bool counts_failure = true;  ///< if it cannot be appended, the handling of `cause` has failed
  report_target* report_to = nullptr;  ///< a shard; or none: the writer ends `cause` itself
  std::shared_ptr<handling_progress> progress;  ///< where the handling takes several steps
  std::string component;  ///< that asks, and its epoch, where the cause does not tell
  std::uint64_t epoch = 0;
  std::unique_ptr<asker> asked_by;  ///< another node, which settles it itself; null: this one
};

/// Slow work on a copy of a state.
struct prepare_job {
  std::shared_ptr<const decider_definition> decider;
  const decider_command* command = nullptr;
  envelope message;
  erased_state state;
  unsigned conflicts = 0;     ///< carried along
  unsigned preparations = 0;  ///< this one included
  std::shared_ptr<class prepared_target> reply_to;
};

struct prepared_message {
  envelope message;
  erased_state prepared;
  failure why;  ///< where `prepared` is empty
  unsigned conflicts = 0;
  unsigned preparations = 0;
};

class prepared_target {
 public:
  virtual ~prepared_target() = default;
  virtual void deliver(prepared_message&& done) = 0;
};

/// A state to be kept; the event that it ends with is durable.
struct snapshot_message {
  snapshot kept;
};

/// Stops the receivers of a type that is served no longer.
struct retire_message {
  std::function<void()> stop;
};

/// What was held back for a component goes on.
struct release_message {
  class component_gate* gate = nullptr;
};

/// A query that waits until its projection has reached `message.head().after`.
struct parked_query {
  envelope message;
  std::function<void(envelope&&)> resume;
};

}  // namespace microlith::internal
