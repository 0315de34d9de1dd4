#pragma once

// The half of the runtime that includes CAF: handles, routes, admission. Seen by the actors only.

#include <microlith/actors/internal/caf_compat.hpp>
#include <microlith/actors/internal/conversations.hpp>
#include <microlith/actors/internal/inbox.hpp>
#include <microlith/actors/internal/refusal_log.hpp>
#include <microlith/actors/internal/runtime.hpp>
#include <microlith/actors/node_options.hpp>
#include <microlith/persistence/journal.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/snapshot_store.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <condition_variable>
#include <optional>
#include <shared_mutex>
#include <span>

namespace microlith::internal {

/// A handler or shard, as its bus sees it.
struct receiver {
  inbox_actor actor;
  std::shared_ptr<inbox<envelope>> waiting;

  void deliver_all(std::vector<envelope>& messages) const {
    if (waiting->push_all(messages))
      caf::anon_send(actor, bell_atom::value);
  }
};

/// A wait whose answer goes to a function, on the actor that runs callbacks.
class called_wait final : public pending_wait {
 public:
  called_wait(runtime::actors_part& node, answer_callback then)
      : node_{node}, then_{std::move(then)} {}
  void complete(raw_answer&& answer, std::unique_ptr<pending_wait> self) override;
  /// Once, after it has ended.
  void call() { then_(std::move(answer_)); }

 private:
  runtime::actors_part& node_;
  answer_callback then_;
  raw_answer answer_;
};

/// Who serves one type.
struct route {
  std::vector<receiver> receivers;                   ///< one, or one a shard
  std::function<std::size_t(const envelope&)> pick;  ///< of the shards
  std::string component;
  std::source_location place;
  std::shared_ptr<std::atomic<std::uint64_t>> count =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

using route_table = boost::unordered_flat_map<const message_type*, std::shared_ptr<const route>>;

/// Value that many read and few replace. A reader keeps what it read for as long as `version`
/// stands.
template <class T>
class replaceable {
 public:
  [[nodiscard]] std::shared_ptr<const T> get() const {
    std::lock_guard lock{mutex_};
    return value_;
  }
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  template <class F>
  auto update(F change) {
    std::lock_guard lock{mutex_};
    auto copy = std::make_shared<T>(*value_);
    struct publish {
      replaceable& at;
      std::shared_ptr<T>& copy;
      ~publish() {
        at.value_ = std::move(copy);
        at.version_.fetch_add(1, std::memory_order_release);
      }
    } publish_at_exit{*this, copy};
    return change(*copy);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_ = std::make_shared<const T>();
  std::atomic<std::uint64_t> version_{1};
};

/// Counts what was admitted from outside and is not done yet.
class admission {
 public:
  void bound(std::size_t max) { max_ = max; }
  [[nodiscard]] std::size_t max() const { return max_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.load(std::memory_order_acquire); }

  [[nodiscard]] bool enter() {
    if (in_flight_.fetch_add(1, std::memory_order_acq_rel) < max_)
      return true;
    leave();
    return false;
  }
  void leave(std::size_t count = 1) { in_flight_.fetch_sub(count, std::memory_order_acq_rel); }

 private:
  alignas(64) std::atomic<std::size_t> in_flight_{0};
  std::size_t max_ = 0;
};

/// A live subscriber as the settler sees it.
struct live_subscriber {
  handler_actor function;  // one of the two is set
  receiver_actor native;
  std::string component;  ///< that listens; empty: none does
  live_options options;
  std::atomic<std::size_t> pending{0};
  // The settler alone touches these: what it did not send.
  std::uint64_t missed_from = 0;
  std::uint64_t missed_to = 0;
};

using subscriber_table =
    boost::unordered_flat_map<const message_type*, std::vector<std::shared_ptr<live_subscriber>>>;

/// Tells buses apart, of all nodes that this process has ever had.
[[nodiscard]] inline std::uint64_t next_bus_number() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

struct bus_part {
  bus_kind kind = bus_kind::command;
  const std::uint64_t number = next_bus_number();
  bus_core_actor actor;
  inbox<envelope> waiting;
  bus_actor front;  ///< for CAF actors of others: admits what comes from outside
  replaceable<route_table> routes;
  admission admitted;
  replaceable<std::vector<dispatch_middleware>> around_dispatch;
  replaceable<std::vector<handle_middleware>> around_handle;
  std::atomic<bool> has_dispatch_middleware{false};
  std::atomic<bool> has_handle_middleware{false};

  void deliver(envelope&& message) {
    if (waiting.push(std::move(message)))
      caf::anon_send(actor, bell_atom::value);
  }
};

/// Why an actor that follows the journal stopped or waits; empty where it does neither.
class shared_trouble {
 public:
  [[nodiscard]] std::string trouble() const {
    std::lock_guard lock{mutex_};
    return trouble_;
  }
  void set_trouble(std::string why) {
    std::lock_guard lock{mutex_};
    trouble_ = std::move(why);
  }

 private:
  mutable std::mutex mutex_;
  std::string trouble_;
};

struct projector_part : shared_trouble {
  std::unique_ptr<projection_store> store;
  projector_actor actor;
  std::atomic<bool> rung{false};
  std::atomic<std::uint64_t> checkpoint{0};
  std::atomic<bool> failed{false};
  std::atomic<bool> rebuilding{false};
};

using projector_table = std::map<std::string, std::shared_ptr<projector_part>>;

struct durable_part : shared_trouble {
  explicit durable_part(durable_subscription d) : definition{std::move(d)} {}

  durable_subscription definition;
  std::string component;
  /// Of its deliverers: the writer may report after they have ended.
  std::vector<std::unique_ptr<report_target>> report_targets;
  std::unique_ptr<subscription_store> store;
  subscriber_actor actor;
  std::atomic<bool> rung{false};
  std::atomic<std::uint64_t> checkpoint{0};  ///< as it will be on disk soon
  std::atomic<std::uint64_t> in_flight{0};
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> failures{0};
};

using durable_table = std::map<std::string, std::shared_ptr<durable_part>>;

class cluster;
class stepped_node;

/// What came of many handlings: gathered, because what is told together touches once what threads
/// share.
struct conclusions {
  conversations::endings waits;
  std::array<std::size_t, 3> left{};  ///< admitted messages that are done, by bus
};

struct runtime::actors_part {
  explicit actors_part(node_options options);

  node_options options;
  statistics_counters counters;
  refusal_log refusals;
  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  std::unique_ptr<conversations> talks;
  std::array<bus_part, 3> buses;
  replaceable<subscriber_table> subscribers;
  replaceable<type_catalog> catalog;
  std::unique_ptr<microlith::journal> journal;
  replaceable<projector_table> projectors;
  replaceable<durable_table> durables;
  std::mutex snapshots_mutex;                 ///< while the two are made
  std::unique_ptr<snapshot_store> snapshots;  ///< where a decider asks for them
  snapshotter_actor snapshotter;
  std::shared_ptr<stepped_node> steps;        ///< where several deterministic nodes step as one
  std::shared_ptr<internal::cluster> others;  ///< null: this node is alone
  writer_actor writer;
  inbox<std::unique_ptr<append_job>> to_append;
  workshop_actor workshop;
  timekeeper_actor timekeeper;
  callback_actor callbacks;
  inbox<std::unique_ptr<called_wait>> to_call_back;
  std::shared_ptr<const conversation_facts> own_facts;
  std::atomic<bool> closed{false};   ///< nothing more is admitted
  std::atomic<bool> stopped{false};  ///< all has ended
  replaceable<
      boost::unordered_flat_map<const message_type*, std::shared_ptr<std::atomic<std::uint64_t>>>>
      event_counts;

  [[nodiscard]] bool deterministic() const {
    return options.scheduler == scheduling::deterministic;
  }
  [[nodiscard]] bus_part& bus(bus_kind kind) { return buses[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] caf::scheduler::test_coordinator& test_scheduler();

  /// The handling of `message` ended; an admitted one makes room.
  void finished(const envelope& message, accepted how);
  void failed(const envelope& message, failure why);
  /// The same of one that nobody has begun to handle: it is refused.
  void turned_away(const envelope& message, failure why);
  /// What `cause` caused passes; with `how`, the handling of `cause` has ended, too.
  void concluded(const envelope& cause, std::span<const envelope* const> caused,
                 const std::optional<accepted>& how, steady_time now);
  /// The same for one of many. Room and waits are told together, by `tell`.
  void concluded(const envelope& cause, std::span<const envelope* const> caused,
                 const std::optional<accepted>& how, steady_time now, conclusions& gathered);
  void tell(conclusions& gathered);

  /// After a message from outside was admitted and its conversation opened: whether it is to be
  /// delivered. Otherwise the same command runs already, or has run: its answer is, or will be,
  /// that of the other.
  [[nodiscard]] bool begins(const envelope& message, opening how);
  /// The event at a position, where it is of one of these types.
  [[nodiscard]] result<std::optional<envelope>, failure> recall(
      std::uint64_t position, std::span<const message_type* const> types) const;
  /// The waits of a command that has been carried out before hear what it caused then.
  void replay(const envelope& cause, const already_appended& before);

  /// Brings an admitted message to its bus; an event to the writer, whom the bus would hand it to.
  void deliver(bus_kind bus, envelope&& message);
  /// An event from outside is its own cause and its own append.
  void append_alone(envelope&& message);
  /// Puts a message that a handler caused on its bus.
  void forward(bus_kind bus, envelope message);
  void append(std::unique_ptr<append_job> job);
  /// All of `jobs`, in order; leaves them empty.
  void append_all(std::vector<std::unique_ptr<append_job>>& jobs);
  /// The journal has grown.
  void ring_followers();
  /// Something is served or listened to, or is no longer.
  void routes_changed();
  /// Deterministic scheduler only. One step of what is due; false: nothing is.
  bool step();
  /// Deterministic scheduler only. The clock jumps to what is due next; false: nothing will be.
  bool jump();
  void log(log_level level, const std::string& text) const;
  /// Whoever sent what is refused may not look.
  void log_refused(const failure& why);

  /// Runs `handle` inside the handle middleware of a bus.
  void around_handle(bus_kind bus, const envelope& message, const std::function<void()>& handle);

  [[nodiscard]] steady_time now() const;
  /// A few milliseconds late, at most; for what is bounded, not measured.
  [[nodiscard]] steady_time coarse_now() const;
  [[nodiscard]] wall_time wall_now() const;

  /// Runs `add` unless the actors are being stopped: what is spawned later would never end.
  template <class F>
  void unless_retired(F add) {
    std::lock_guard lock{retire_mutex_};
    if (!retired_)
      add();
  }
  void retire() {
    std::lock_guard lock{retire_mutex_};
    retired_ = true;
  }

  [[nodiscard]] subscription add_subscriber(const message_type& type,
                                            std::shared_ptr<live_subscriber> live,
                                            std::weak_ptr<runtime> node);

  /// Lends a scoped actor: costly to make, so they are kept.
  [[nodiscard]] std::unique_ptr<caf::scoped_actor> borrow();
  void give_back(std::unique_ptr<caf::scoped_actor> self);
  /// The actor system waits for every scoped actor at its end: none is kept from here on.
  void close_pool();

  /// Runs the function of a wait that has ended on the callback actor; here and now once the node
  /// has stopped.
  void call_back(std::unique_ptr<called_wait> ended);
  void close_callbacks();

 private:
  std::shared_mutex callback_mutex_;
  bool pool_closed_ = false;
  std::mutex retire_mutex_;
  bool retired_ = false;
  std::mutex pool_mutex_;
  std::vector<std::unique_ptr<caf::scoped_actor>> pool_;
  steady_time epoch_steady_;
  wall_time epoch_wall_;

  void release(const envelope& message);
  [[nodiscard]] static std::optional<bus_kind> admitted_by(const envelope& message);
  friend class runtime;
  friend class node_assembly;
};

/// What a message from outside opens.
[[nodiscard]] inline opened_dispatch opened_by(const envelope& message) {
  auto kind = message.type().kind;
  return {.id = message.head().id,
          .once = kind == message_kind::command,
          .is_event = kind == message_kind::event};
}

/// A wait that answers a CAF request.
[[nodiscard]] std::unique_ptr<pending_wait> make_requested_wait(caf::response_promise promise,
                                                                caf::strong_actor_ptr self,
                                                                wait_request&& request);

/// Nothing was done, and why.
[[nodiscard]] failure refused(failure_kind kind, const envelope& message, std::string text);

/// What the dispatch middleware of a bus makes of a message; `last` is what comes after all of it.
[[nodiscard]] dispatch_result through_middleware(bus_part& bus, envelope message,
                                                 const next_dispatch& last);

/// Marks the current thread as running a handler.
class handler_scope {
 public:
  handler_scope();
  ~handler_scope();
  handler_scope(const handler_scope&) = delete;
  handler_scope& operator=(const handler_scope&) = delete;

 private:
  bool before_;
};

/// What failed, as text, of the exception being handled.
[[nodiscard]] std::string current_exception_text();

[[nodiscard]] failure handler_threw(const envelope& message, const std::string& component,
                                    const std::string& what);
[[nodiscard]] failure past_deadline(const envelope& message);

/// Sorts what a handling sent into events, rejections and the rest. False, with `why` set, if
/// dispatch middleware refused one of them.
[[nodiscard]] bool sort_outgoing(runtime::actors_part& node, std::vector<outgoing>& sent,
                                 append_job& job, failure& why);

// Where the actors are made, one file each.
bus_core_actor spawn_bus(runtime& node, bus_kind kind);
bus_actor spawn_bus_front(runtime& node, bus_kind kind);
handler_actor spawn_handler(runtime& node, bus_kind bus, handler_definition definition,
                            std::shared_ptr<live_subscriber> live,
                            std::shared_ptr<inbox<envelope>> waiting);
shard_actor spawn_shard(runtime& node, std::shared_ptr<const decider_definition> decider,
                        std::shared_ptr<inbox<envelope>> waiting);
writer_actor spawn_writer(runtime& node);
workshop_actor spawn_workshop(runtime& node);
snapshotter_actor spawn_snapshotter(runtime& node);
/// Opens the snapshots if the decider asks for them; says why it cannot have any.
[[nodiscard]] result<void, failure> prepare_snapshots(runtime& of,
                                                      const decider_definition& decider);
projector_actor spawn_projector(runtime& node, projector_part& part);
subscriber_actor spawn_subscriber(runtime& node, durable_part& part);
deliverer_actor spawn_deliverer(runtime& node, durable_part& part, subscriber_actor subscriber);
timekeeper_actor spawn_timekeeper(runtime& node);
callback_actor spawn_callbacks(runtime& node);

}  // namespace microlith::internal
