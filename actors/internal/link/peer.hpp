#pragma once

// One peer: the session with its process, whether that is connected, and what becomes of it in
// time.
//
// The session is agreed in three steps, so that none of two living processes sends into a session
// that the other does not have: the listening end makes one and keeps it (pending), the dialling
// end has it with the welcome and joins, the listening end joins with the first frame that comes in
// it.
//
// A process that lives listens, so that a peer whose address refuses connections is gone, sooner
// than one of which nothing is heard. The listening end learns it by knocking: a connection to the
// peer's address that says nothing. Refusals count only at an address at which somebody listened
// while the session was there: that of a peer that dials may be wrong, and nobody notice.
//
// Calls link_events. No IO and no clock. For one thread, but for `box`.

#include <microlith/actors/internal/link/handshake.hpp>
#include <microlith/actors/internal/link/link_options.hpp>
#include <microlith/actors/internal/link/outbox.hpp>
#include <microlith/actors/internal/link/session.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>

namespace microlith::internal {

using connection_id = std::uint64_t;
inline constexpr connection_id no_connection = 0;

using link_time = std::chrono::steady_clock::time_point;

class link_peer {
 public:
  link_peer(std::string name, std::shared_ptr<outbox> box, bool dials, const link_options& options,
            std::uint64_t seed);

  void set_events(link_events& to) { events_ = &to; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool dials() const { return dials_; }
  [[nodiscard]] outbox& box() const { return *box_; }

  /// What a hello to this peer says.
  [[nodiscard]] message_id session_id() const { return session_id_; }
  [[nodiscard]] std::uint64_t received() const { return session_ ? session_->received() : 0; }

  /// Listening: the peer is proven; the session goes on, or another one begins.
  [[nodiscard]] link_welcome admit(const link_hello& hello);
  /// Dialling: the same, as the other end decided. False: it cannot be, dial again.
  [[nodiscard]] bool welcomed(const link_hello& hello, const link_welcome& welcome);
  void connected(connection_id by, link_time now);
  void disconnected(const std::string& why, link_time now);
  /// What came of a dial, or of a knock: it is not known, nobody listens there, or somebody does.
  void dial_failed(const std::string& why, link_time now);
  void refused(const std::string& why, link_time now);
  void answered(link_time now);
  /// What came over the connection, of the kinds that belong to sessions.
  [[nodiscard]] link_session::taken take(const frame& from);
  /// The peer showed that it lives.
  void heard() { heard_ = true; }
  void set_round_trip(std::chrono::microseconds time);

  /// The process is gone, or nothing is known of it for too long: the session ends.
  void lose(const std::string& why);
  void interrupt(const std::string& why);

  [[nodiscard]] link_session* session() { return session_ ? &*session_ : nullptr; }
  [[nodiscard]] connection_id connection() const { return connection_; }
  [[nodiscard]] bool joined() const { return joined_; }
  /// Whether there is a session with this very process.
  [[nodiscard]] bool is_with(message_id incarnation) const {
    return session_ && incarnation_ == incarnation;
  }

  /// What is to be done now; each is said once.
  enum class due { nothing, dial, beat, silent, gone };
  [[nodiscard]] due next_due(link_time now);
  /// When something may be due; never: the end of time.
  [[nodiscard]] link_time deadline() const;
  /// A dial, or a knock, has begun: none is due until it has ended, or the connection is lost.
  void set_dialling(connection_id by) { dialling_ = by; }
  [[nodiscard]] connection_id dialling() const { return dialling_; }
  void dial_at(link_time when) { dial_at_ = when; }
  void never_dial_again() { dial_at_ = never; }

 private:
  static constexpr link_time never = link_time::max();

  void begin_session(message_id id, message_id incarnation);
  void join();
  [[nodiscard]] bool shall_knock() const;
  void redial_after(unsigned attempts, link_time now);

  const std::string name_;
  const std::shared_ptr<outbox> box_;
  const bool dials_;
  const std::chrono::milliseconds silence_limit_;
  const std::chrono::milliseconds resume_window_;
  link_events* events_ = nullptr;
  std::minstd_rand random_;

  std::optional<link_session> session_;
  message_id session_id_;
  message_id incarnation_;
  bool joined_ = false;
  bool interrupted_ = false;

  connection_id connection_ = no_connection;
  connection_id dialling_ = no_connection;
  bool was_connected_ = false;
  bool was_open_ = false;  ///< its address, in this session
  unsigned attempts_ = 0;
  bool heard_ = false;
  int silent_beats_ = 0;
  link_time connected_at_ = never;
  link_time dial_at_ = never;
  link_time refused_since_ = never;
  link_time beat_at_ = never;
  link_time interrupt_at_ = never;
  link_time lose_at_ = never;
};

}  // namespace microlith::internal
