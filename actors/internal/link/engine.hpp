#pragma once

// All links of a node, but for the sockets: connections come and go and carry bytes, time passes,
// and the engine says what to write, whom to dial, and tells link_events.
//
// No IO and no clock: the same calls give the same links. For one thread; what other threads may
// touch are the outboxes. Calls of the wire must not call back.

#include <microlith/actors/internal/link/peer.hpp>
#include <microlith/actors/internal/link/tls.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace microlith::internal {

/// What the engine asks of the network.
class link_wire {
 public:
  virtual ~link_wire() = default;
  /// Connects; what comes of it is told by `dialled`, `refused` or `closed`, never from within.
  virtual void dial(connection_id id, const std::string& address) = 0;
  /// The same; but once it stands it is closed, and there is nothing to write to or to close.
  virtual void knock(connection_id id, const std::string& address) = 0;
  virtual void write(connection_id id, std::span<const std::byte> bytes) = 0;
  /// Closes after what was written.
  virtual void finish(connection_id id) = 0;
  /// Closes now.
  virtual void abort(connection_id id) = 0;
};

class link_engine {
 public:
  link_engine(link_options options, secret<std::string> key, std::shared_ptr<const tls_context> tls,
              std::vector<std::shared_ptr<outbox>> boxes, link_wire& wire, std::uint64_t seed);
  ~link_engine();

  void start(link_events& to, link_time now);

  /// A connection from outside; `from` is for people.
  [[nodiscard]] connection_id accepted(std::string from, link_time now);
  /// The connection that was asked for stands, or stood.
  void dialled(connection_id id, link_time now);
  /// It does not: the host is there, and nobody listens.
  void refused(connection_id id, const std::string& why, link_time now);
  void received(connection_id id, std::span<const std::byte> bytes, link_time now);
  /// How much of what was written still waits.
  void written(connection_id id, std::size_t unwritten_bytes);
  void closed(connection_id id, const std::string& why, link_time now);
  /// Something waits in an outbox.
  void flush();
  void advance(link_time now);
  /// When `advance` is to be called; may be the end of time.
  [[nodiscard]] link_time deadline() const;

  /// Dials no more and asks for the acknowledgement of all that was taken.
  void begin_stop(link_time now);
  /// All that was taken is acknowledged, or has nobody to be sent to.
  [[nodiscard]] bool drained();
  /// Says goodbye. Afterwards nothing is called any more.
  void stop();

  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

 private:
  struct connection;

  [[nodiscard]] connection* find(connection_id id);
  [[nodiscard]] link_peer* find_peer(const std::string& name);
  /// Of the peers that callers are, the one that this caller is; null: all are taken.
  [[nodiscard]] link_peer* place_of_caller(const link_hello& hello);
  connection& add(bool dials, link_peer* peer, std::string address, link_time now);
  void dial(link_peer& peer, link_time now);
  void begin(connection& at);
  void push(connection& at, const link_bytes& plain);
  void push_output(connection& at);
  /// False: the connection is gone.
  [[nodiscard]] bool take(connection& at, const frame& from, link_time now);
  [[nodiscard]] bool shake(connection& at, const frame& from, link_time now);
  [[nodiscard]] bool check_claim(connection& at, link_bytes& out);
  [[nodiscard]] bool converse(connection& at, const frame& from, link_time now);
  void establish(connection& at, link_time now);
  void pump(link_peer& peer);
  void beat(link_peer& peer, link_time now);
  enum class ending { finish, abort, closed, refused, answered };
  void drop(connection& at, const std::string& why, ending how, link_time now);
  void report(const connection& at, const std::string& why, link_time now);

  const link_options options_;
  const secret<std::string> key_;
  const std::shared_ptr<const tls_context> tls_;
  link_wire& wire_;
  std::vector<std::unique_ptr<link_peer>> peers_;
  std::vector<link_peer*> callers_;
  std::map<connection_id, std::unique_ptr<connection>> connections_;
  connection_id last_id_ = no_connection;
  std::size_t unproven_ = 0;
  bool stopping_ = false;
  bool stopped_ = false;
  link_time report_again_at_ = link_time::min();
  link_bytes plain_;
  link_bytes cipher_;
  link_bytes frames_;  // on their way out; keeps its memory
};

}  // namespace microlith::internal
