#include <microlith/actors/internal/link/peer.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

using namespace std::chrono_literals;

/// A connection that did not last is a dial that failed, as far as haste is concerned.
constexpr auto settled_after = 200ms;

}  // namespace

link_peer::link_peer(std::string name, std::shared_ptr<outbox> box, bool dials,
                     const link_options& options, std::uint64_t seed)
    : name_{std::move(name)},
      box_{std::move(box)},
      dials_{dials},
      silence_limit_{options.silence_limit},
      resume_window_{options.resume_window},
      random_{static_cast<std::minstd_rand::result_type>(seed)} {}

link_welcome link_peer::admit(const link_hello& hello) {
  bool goes_on = session_ && hello.session == session_id_ && hello.incarnation == incarnation_ &&
                 session_->resume(hello.received);
  if (!goes_on) {
    lose(hello.incarnation == incarnation_ ? "it has given up the session"
                                           : "another process has taken its place");
    begin_session(message_id::make(), hello.incarnation);
  }
  return {session_id_, session_->received(), session_->credit()};
}

bool link_peer::welcomed(const link_hello& hello, const link_welcome& welcome) {
  if (session_ && welcome.session == session_id_) {
    if (!session_->resume(welcome.received)) {
      lose("what it remembers of the session does not fit");
      return false;
    }
  } else {
    lose(hello.incarnation == incarnation_ ? "it has given up the session"
                                           : "another process has taken its place");
    if (welcome.received != 0)
      return false;
    begin_session(welcome.session, hello.incarnation);
  }
  session_->set_peer_credit(welcome.credit);
  return true;
}

void link_peer::begin_session(message_id id, message_id incarnation) {
  session_.emplace();
  session_id_ = id;
  incarnation_ = incarnation;
}

void link_peer::connected(connection_id by, link_time now) {
  connection_ = by;
  dialling_ = no_connection;
  connected_at_ = now;
  dial_at_ = interrupt_at_ = lose_at_ = refused_since_ = never;
  if (dials_)
    was_open_ = true;
  else
    attempts_ = 0;
  if (shall_knock())
    dial_at_ = now;
  beat_at_ = now + silence_limit_ / beats_in_silence_limit;
  heard_ = true;
  silent_beats_ = 0;
  bool again = std::exchange(was_connected_, true);
  box_->update_status([&](link_status& status) {
    status.connected = true;
    status.problem.clear();
    status.reconnects += again ? 1U : 0U;
  });
  if (dials_ && !joined_)
    join();
  if (std::exchange(interrupted_, false)) {
    box_->open(false);
    events_->resumed(name_);
  }
}

void link_peer::join() {
  joined_ = true;
  box_->open(true);
  events_->joined(name_, incarnation_);
}

bool link_peer::shall_knock() const {
  if (dials_ || !session_ || box_->status().address.empty())
    return false;
  return connection_ == no_connection ? was_open_ : !was_open_ && attempts_ < first_knocks;
}

void link_peer::redial_after(unsigned attempts, link_time now) {
  if (!dials_ && !shall_knock())
    return;
  // While there is a session, somebody waits to be told what becomes of it.
  auto wait = std::min<std::chrono::milliseconds>(first_redial * (1U << std::min(attempts, 10U)),
                                                  session_ ? refusal_limit : last_redial);
  // Nodes that lost each other at one moment need not meet again at one moment.
  std::uniform_int_distribution<std::int64_t> within{wait.count() / 2, wait.count()};
  dial_at_ = now + std::chrono::milliseconds{within(random_)};
}

void link_peer::disconnected(const std::string& why, link_time now) {
  attempts_ = now - connected_at_ >= settled_after ? 0 : attempts_ + 1;
  connection_ = no_connection;
  beat_at_ = never;
  if (joined_ && !interrupted_)
    interrupt_at_ = now + reconnect_grace;
  if (session_)
    lose_at_ = now + resume_window_;
  box_->update_status([&](link_status& status) {
    status.connected = false;
    status.problem = why;
  });
  redial_after(attempts_, now);
}

void link_peer::dial_failed(const std::string& why, link_time now) {
  dialling_ = no_connection;
  refused_since_ = never;
  ++attempts_;
  if (connection_ == no_connection)
    box_->update_status([&](link_status& status) { status.problem = why; });
  redial_after(attempts_, now);
}

void link_peer::refused(const std::string& why, link_time now) {
  auto since = std::min(refused_since_, now);
  dial_failed(why, now);
  if (!session_ || !was_open_ || connection_ != no_connection)
    return;
  if (now - since >= refusal_limit)
    return lose("nobody listens at its address any more");
  refused_since_ = since;
  dial_at_ = std::min(dial_at_, since + refusal_limit);
}

void link_peer::answered(link_time now) {
  dialling_ = no_connection;
  refused_since_ = never;
  was_open_ = true;
  if (connection_ == no_connection)
    box_->update_status(
        [](link_status& status) { status.problem = "it listens, and has not connected again"; });
  redial_after(++attempts_, now);
}

link_session::taken link_peer::take(const frame& from) {
  // The dialling end has the session: it is not pending any more.
  if (!joined_)
    join();
  auto taken = session_->take(
      from, [&](std::span<const std::byte> message) { events_->arrived(name_, message); });
  if (auto released = session_->take_released())
    box_->release(released);
  if (taken.messages > 0) {
    events_->all_arrived(name_);
    box_->update_status([&](link_status& status) { status.messages_received += taken.messages; });
  }
  return taken;
}

void link_peer::set_round_trip(std::chrono::microseconds time) {
  box_->update_status(
      [&](link_status& status) { status.round_trip_us = static_cast<double>(time.count()); });
}

void link_peer::interrupt(const std::string& why) {
  interrupt_at_ = never;
  if (!joined_ || std::exchange(interrupted_, true))
    return;
  box_->shut();
  events_->interrupted(name_, why);
}

void link_peer::lose(const std::string& why) {
  interrupt_at_ = lose_at_ = refused_since_ = never;
  was_open_ = false;
  // Nobody asks any more whether it lives.
  if (!dials_) {
    dial_at_ = never;
    dialling_ = no_connection;
  }
  session_.reset();
  session_id_ = {};
  interrupted_ = false;
  box_->drop();
  if (std::exchange(joined_, false))
    events_->lost(name_, why);
}

link_peer::due link_peer::next_due(link_time now) {
  if (now >= lose_at_) {
    lose_at_ = never;
    return due::gone;
  }
  if (now >= interrupt_at_)
    interrupt(box_->status().problem);
  if (now >= dial_at_) {
    dial_at_ = never;
    return due::dial;
  }
  if (now >= beat_at_) {
    // Counted in beats of ours, not in time: a process that stood still itself hears first what
    // has arrived meanwhile.
    beat_at_ = now + silence_limit_ / beats_in_silence_limit;
    silent_beats_ = std::exchange(heard_, false) ? 0 : silent_beats_ + 1;
    return silent_beats_ >= beats_in_silence_limit - 1 ? due::silent : due::beat;
  }
  return due::nothing;
}

link_time link_peer::deadline() const {
  return std::min({dial_at_, beat_at_, interrupt_at_, lose_at_});
}

}  // namespace microlith::internal
