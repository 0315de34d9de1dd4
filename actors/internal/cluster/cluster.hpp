#pragma once

// This node's part in a cluster: what leaves it for other nodes, and what arrives from them.
//
// The buses ask it where they find no handler here; the writer tells it what was published; where
// the journal is elsewhere, it takes the appends. Promises:
//   - whoever forwards a message answers for it: the handling ends here as the peer says, or as
//     `unreachable` when the peer is gone;
//   - what comes of a message visits every node that the message came by, the origin of its
//     conversation among them;
//   - appends are settled in the order in which they were asked for.
// Any thread may call anything. Nothing here blocks but `ask_journal`, which must not be called on
// a thread of the links.

#include <microlith/actors/cluster_status.hpp>
#include <microlith/actors/internal/cluster/cluster_setup.hpp>
#include <microlith/actors/internal/cluster/executor_actor.hpp>
#include <microlith/actors/internal/cluster/known_places.hpp>
#include <microlith/actors/internal/cluster/mover.hpp>
#include <microlith/actors/internal/cluster/peer.hpp>
#include <microlith/actors/internal/cluster/placed_components.hpp>
#include <microlith/actors/internal/cluster/remote_journal.hpp>
#include <microlith/actors/internal/cluster/written_move.hpp>
#include <microlith/actors/internal/link.hpp>
#include <microlith/actors/internal/work.hpp>
#include <microlith/actors/statistics.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <optional>
#include <shared_mutex>
#include <unordered_map>

namespace microlith {
class durable_subscription;
}

namespace microlith::internal {

class hosted_components;

/// Bytes kept for one peer that cannot be reached now; past it, what is published misses it.
inline constexpr std::size_t max_backlog_bytes = std::size_t{64} << 20;
/// How long a read of another node's journal is waited for.
inline constexpr std::chrono::seconds journal_read_limit{5};
/// How often what could not leave is tried again.
inline constexpr std::chrono::milliseconds backlog_retry{10};

class cluster final : public link_events,
                      public remote_reader,
                      private move_actions,
                      private placed_actions {
 public:
  cluster(runtime& node, cluster_setup setup, hosted_components& hosted);
  ~cluster() override;

  /// Whether this node has the journal.
  [[nodiscard]] bool has_journal() const { return journal_node_ == setup_.node; }
  [[nodiscard]] const cluster_setup& setup() const { return setup_; }
  /// Whether a component has its place here.
  [[nodiscard]] bool hosts(std::string_view component) const;
  /// In which one that is here was begun.
  [[nodiscard]] std::uint64_t epoch_of(std::string_view component) const {
    return placed_.epoch_of(component);
  }
  [[nodiscard]] cluster_wiring* wiring() const { return setup_.wiring.get(); }
  [[nodiscard]] std::unique_ptr<journal> make_journal();

  /// Where the journal is here: reads where components run, and begins those that run here.
  [[nodiscard]] result<void, storage_error> read_places();
  [[nodiscard]] result<void, failure> begin_here() { return placed_.begin_all(); }

  /// Listens and dials. `describe` says how this node is.
  void start(std::unique_ptr<links> links, std::function<cluster_status()> describe);
  /// Others send nothing new from now on.
  void announce_stop();
  void stop();
  void quit();

  // What goes to components, between its bus and its end.
  /// False: it was taken, until its component has moved.
  [[nodiscard]] bool enters(envelope& message, bool served_here);
  void passed_by(const envelope& message);
  void has_ended(const envelope& message);

  // Messages from here.
  /// Why a type that has no handler here cannot be dispatched; empty: another node serves it.
  [[nodiscard]] std::optional<failure> refuses(const envelope& message);
  /// Sends it to the node that serves it, or fails it. One of another node is sent on only if its
  /// component was here and has moved.
  void carry(envelope&& message, bool was_held);
  /// Tells the other nodes that it came by.
  void pass_on(const envelope& message, const envelope_head& along);
  /// A message that others dispatched in a conversation has passed here: handlers on other nodes
  /// that work on what was sent there in that conversation may wait for it.
  void pass_to_open_work(const envelope& message);
  /// The same, and to the subscribers of all nodes. The writer's, who says when that was all.
  void publish(const envelope& message);
  void published_all();
  /// Whether it is of a type that another node wrote and this one would not write so.
  [[nodiscard]] static bool is_foreign(const envelope& message);
  /// A foreign message in the type that subscribers here know; none where they cannot read it.
  [[nodiscard]] envelope own_form(const envelope& message) const;
  /// The handling here of a message of another node has ended; false: it is none.
  bool finished(const envelope& message, accepted how);
  bool failed(const envelope& message, const failure& why);
  /// Nobody here has dealt with what failed.
  void pass_failure(const envelope& message, const failure& why);

  // The journal of another node.
  [[nodiscard]] result<std::unique_ptr<subscription_store>, storage_error> open_store(
      const durable_subscription& definition, const std::string& component);
  void append(std::unique_ptr<append_job> given);
  result<wire::page, storage_error> ask_journal(wire::read question) override;

  // The journal of this node.
  void report(const append_job& job, const append_request& request, const append_outcome& outcome);
  /// What a durable subscription remembers is used by this node itself, or by nobody any more.
  void close_store(const std::string& subscription);
  void close_stores();
  void ring(std::uint64_t position);

  /// What this node serves or listens to has changed.
  void routes_changed() override;

  [[nodiscard]] std::size_t forwarded() const {
    return forwarded_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::size_t handling() const { return handling_.load(std::memory_order_acquire); }
  [[nodiscard]] std::size_t appending() const;
  [[nodiscard]] cluster_status status() const;

 private:
  struct forwarded_message {
    peer* to = nullptr;
    envelope message;
  };
  struct pending_append {
    std::uint64_t ticket = 0;
    std::unique_ptr<append_job> job;
    std::optional<append_outcome> outcome;
    std::vector<std::uint64_t> stream_versions;
  };
  struct pending_read {
    std::optional<result<wire::page, storage_error>> answer;
  };

  // Called by the links.
  void joined(const std::string& name, message_id incarnation) override;
  void arrived(const std::string& name, std::span<const std::byte> message) override;
  void all_arrived(const std::string& name) override;
  void interrupted(const std::string& name, const std::string& why) override;
  void resumed(const std::string& name) override;
  void lost(const std::string& name, const std::string& why) override;

  void take(peer& from, std::span<const std::byte> frame);
  template <class T, class F>
  void take_as(peer& from, std::span<const std::byte> body, F use);
  void take_greeting(peer& from, wire::greeting&& said);
  void take_types(peer& from, wire::types&& said);
  void take_routes(peer& from, wire::routes&& said);
  void log_unreadable(const peer& from, const decode_error& why);
  void take_message(peer& from, std::span<const std::byte> body);
  void take_to_handle(peer& from, wire::message& said);
  void take_published(peer& from, std::span<const std::byte> body);
  void take_event(peer& from, wire::message& said,
                  const std::shared_ptr<const conversation_facts>& facts);
  void take_append(peer& from, wire::append&& said);
  void take_read(peer& from, wire::read&& question);
  void take_page(wire::page&& said);
  void take_outcome(wire::append_outcome&& said);
  /// Under `forwarded_mutex_`.
  void forget_conversation_of(std::uint64_t ticket, const envelope& message);
  void end_forwarded(std::uint64_t ticket, const std::function<void(const envelope&)>& end);
  void answer_read(peer& to, const wire::read& question);
  [[nodiscard]] result<wire::store_answer, storage_error> answer_store(
      const peer& to, const wire::store_call& call);
  void ring_here(std::uint64_t position);
  void take_placement(wire::placement&& said);
  void take_step(wire::move_step&& said);
  void take_operator_question(peer& from, wire::operator_question&& said);

  // Where components run; cluster_moving.cpp.
  void on_keeper(std::function<void()> run);
  [[nodiscard]] std::optional<place> place_of(std::string_view component) const {
    return places_.of(component);
  }
  /// That serves it, if nodes begin and end it.
  [[nodiscard]] const placed_component* part_of(const message_type& type) const;
  [[nodiscard]] bool comes_back(const envelope& message);
  [[nodiscard]] bool has_left(const envelope& message, const peer& to) const;
  [[nodiscard]] wire::placement own_places() const;
  /// To all nodes, as of now.
  void tell_places();

  // For the mover, and for the components; on the keeper's thread.
  [[nodiscard]] std::vector<std::string> nodes_there() const override;
  [[nodiscard]] placement_table places() const override { return places_.all(); }
  [[nodiscard]] bool movable(const std::string& component) const override;
  void tell(const std::string& node, wire::move_step said) override;
  void write(const component_moved_event& moved,
             std::function<void(std::optional<failure>)> done) override;
  void placed(const component_moved_event& moved) override;
  void later(std::chrono::milliseconds delay, std::function<void()> run) override;
  [[nodiscard]] bool is_served(const std::string& component,
                               const std::string& there) const override;
  void report_step(wire::move_step said) override;

  // Sending.
  [[nodiscard]] peer* find(std::string_view name);
  /// The link takes it now, or it is not sent.
  [[nodiscard]] sent offer(peer& to, const bytes& frame);
  /// Arrives, if need be later, for as long as the peer lives.
  void deliver(peer& to, const bytes& frame);
  void send_published(peer& to);
  void send_or_keep(peer& to, const bytes& frame, std::size_t messages);
  [[nodiscard]] sent push(peer& to, const bytes& frame);
  void keep(peer& to, bytes&& frame);
  bool flush(peer& to);
  void retry_later();
  void greet(peer& to);
  [[nodiscard]] wire::routes own_routes() const;

  // Translation.
  [[nodiscard]] std::uint32_t number_of(const message_type& type);
  void send_types(peer& to, std::size_t from);
  [[nodiscard]] wire::facts facts_to_wire(const envelope_head& head) const;
  /// All but facts, type and body.
  void head_to_wire(wire::envelope& out, const envelope& message) const;
  [[nodiscard]] wire::envelope to_wire(const envelope& message, bool with_facts);
  /// Its frame, with the facts of its own head; why not, where its type's own code throws.
  [[nodiscard]] result<bytes, failure> frame_of(const envelope& message, std::uint8_t use,
                                                std::uint64_t ticket);
  /// For a handler of the exception that encoding it threw.
  [[nodiscard]] static failure not_encoded(const envelope& message);
  [[nodiscard]] std::shared_ptr<const conversation_facts> facts_from_wire(const peer& from,
                                                                          wire::facts&& said,
                                                                          message_id message,
                                                                          std::uint64_t ticket);
  [[nodiscard]] incoming_type& type_from(peer& from, std::uint32_t number);
  [[nodiscard]] result<envelope, std::string> from_wire(
      peer& from, wire::envelope& said, std::shared_ptr<const conversation_facts> facts, bool raw);
  [[nodiscard]] const message_type& raw_type(incoming_type& type);
  void resolve(incoming_type& type, const std::string& peer);

  [[nodiscard]] peer* server_of(const message_type& type);
  [[nodiscard]] failure not_served(const envelope& message);
  [[nodiscard]] std::vector<peer*> path_of(const envelope_head& head);
  /// To waits there.
  void pass_to(const std::vector<peer*>& to, const envelope& message);
  void not_passed(const std::vector<peer*>& to, const envelope& message, failure why);
  void pass_failure(const std::vector<peer*>& to, const envelope& message, const failure& why);
  struct published_type;
  [[nodiscard]] published_type& published_as(const message_type& type);
  void encode_published(const envelope& message, std::uint32_t type);
  void gather(peer& to, const envelope& message, std::uint8_t use);
  void rebuild_routing();

  // Appends.
  /// Throws what encoding one of its messages throws.
  [[nodiscard]] wire::append to_wire(const append_job& job, std::uint64_t ticket);
  void settle_appends();
  void settle(pending_append&& done);
  void refuse_appends(const failure& why);
  void fail_reads(const std::string& why);

  runtime& runtime_;
  cluster_setup setup_;
  std::string journal_node_;
  std::map<std::string, std::unique_ptr<peer>, std::less<>> peers_;
  std::map<std::string, std::unique_ptr<peer>, std::less<>> operators_;  ///< tools, or none yet
  hosted_components* hosted_;
  known_places places_;
  placed_components placed_;
  boost::unordered_flat_map<const message_type*, component_gate*> gates_;  ///< of theirs
  std::unique_ptr<mover> mover_;  ///< where the journal is here; the keeper's, as is the next
  std::unique_ptr<written_move> written_move_;
  std::unique_ptr<links> links_;
  std::function<cluster_status()> describe_;
  remote_journal* remote_journal_ = nullptr;  ///< where the journal is elsewhere
  executor_actor keeper_;
  executor_actor reader_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> retrying_{false};
  std::atomic<std::size_t> reading_{0};

  struct routing {
    boost::unordered_flat_map<std::string, peer*> serves;
    boost::unordered_flat_map<std::string, std::vector<peer*>> wants;
  };
  mutable std::shared_mutex routing_mutex_;
  routing routing_;
  std::atomic<std::uint64_t> routing_version_{1};
  std::map<std::string, std::string, std::less<>> served_before_;  ///< type to node

  // What the writer keeps between two messages that it publishes.
  struct published_type {
    std::uint32_t number = 0;
    std::vector<peer*> wanting;
  };
  boost::unordered_flat_map<const message_type*, published_type> published_types_;
  std::uint64_t published_version_ = 0;  ///< of the routing that they are of
  wire::message publishing_;
  bytes published_event_;
  bytes published_facts_as_written_;
  std::shared_ptr<const conversation_facts> published_facts_;  ///< those
  std::vector<peer*> published_to_;                            ///< something may wait for more

  std::shared_mutex types_mutex_;
  boost::unordered_flat_map<const message_type*, std::uint32_t> numbers_;
  std::vector<const message_type*> numbered_;
  std::mutex raw_types_mutex_;
  struct raw_message_type;
  std::vector<std::shared_ptr<const raw_message_type>> raw_types_;

  mutable std::mutex forwarded_mutex_;
  std::unordered_map<std::uint64_t, forwarded_message> forwarded_;
  std::unordered_multimap<correlation_id, std::uint64_t> forwarded_in_;  ///< tickets
  std::atomic<std::size_t> forwarded_count_{0};
  std::atomic<std::size_t> handling_{0};
  std::atomic<std::uint64_t> last_ticket_{0};

  mutable std::mutex appends_mutex_;
  std::deque<pending_append> appends_;
  bool settling_ = false;

  std::mutex stores_mutex_;
  std::map<std::string, std::unique_ptr<subscription_store>, std::less<>> stores_;

  std::mutex reads_mutex_;
  std::condition_variable read_ended_;
  std::unordered_map<std::uint64_t, std::shared_ptr<pending_read>> reads_;
};

/// Whether this very message, not one before it, came over a link.
[[nodiscard]] inline bool came_over_a_link(const envelope& message) {
  const auto& facts = message.head().facts;
  return facts && facts->came_by && facts->came_by->message == message.head().id;
}

[[nodiscard]] wire::failure failure_to_wire(const failure& why);
[[nodiscard]] failure failure_from_wire(wire::failure&& said);

}  // namespace microlith::internal
