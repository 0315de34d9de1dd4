#include <microlith/actors/internal/link/engine.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

using namespace std::chrono_literals;

/// Whoever knocks all the time does not fill the log.
constexpr auto between_reports = 1s;

std::uint64_t microseconds_of(link_time time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

}  // namespace

struct link_engine::connection {
  connection_id id = no_connection;
  bool dials = false;
  link_peer* peer = nullptr;  ///< listening: once it is proven
  std::string address;
  link_handshake handshake;
  frame_reader reader{max_handshake_frame_bytes};
  std::unique_ptr<tls_channel> tls;
  bool begun = false;
  bool heard = false;  ///< anything at all
  bool established = false;
  link_time deadline;  ///< of the handshake
  std::size_t unwritten_bytes = 0;

  /// Only to learn whether somebody listens there: it is the other one that dials.
  [[nodiscard]] bool knocks() const { return dials && !peer->dials(); }
};

link_engine::link_engine(link_options options, secret<std::string> key,
                         std::shared_ptr<const tls_context> tls,
                         std::vector<std::shared_ptr<outbox>> boxes, link_wire& wire,
                         std::uint64_t seed)
    : options_{std::move(options)}, key_{std::move(key)}, tls_{std::move(tls)}, wire_{wire} {
  auto callers =
      options_.caller.empty() ? std::vector<std::string>{} : names_of_callers(options_.caller);
  for (auto& box : boxes) {
    auto name = box->status().peer;
    bool calls = std::find(callers.begin(), callers.end(), name) != callers.end();
    bool dials = options_.only_calls || (!calls && options_.name < name);
    peers_.push_back(std::make_unique<link_peer>(std::move(name), std::move(box), dials, options_,
                                                 seed + peers_.size()));
    if (calls)
      callers_.push_back(peers_.back().get());
  }
}

link_engine::~link_engine() = default;

void link_engine::start(link_events& to, link_time now) {
  for (auto& peer : peers_) {
    peer->set_events(to);
    if (peer->dials())
      peer->dial_at(now);
  }
  advance(now);
}

link_engine::connection* link_engine::find(connection_id id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

link_peer* link_engine::find_peer(const std::string& name) {
  auto found =
      std::find_if(peers_.begin(), peers_.end(), [&](auto& peer) { return peer->name() == name; });
  return found == peers_.end() ? nullptr : found->get();
}

link_peer* link_engine::place_of_caller(const link_hello& hello) {
  link_peer* empty = nullptr;
  link_peer* away = nullptr;
  for (auto* each : callers_) {
    if (each->is_with(hello.incarnation))
      return each;
    if (each->session() == nullptr)
      empty = empty ? empty : each;
    else if (find(each->connection()) == nullptr)
      away = away ? away : each;
  }
  // Rather than to refuse one that is there, one that may come back is given up.
  return empty ? empty : away;
}

link_engine::connection& link_engine::add(bool dials, link_peer* peer, std::string address,
                                          link_time now) {
  link_hello own;
  own.incarnation = options_.incarnation;
  own.name = options_.name;
  if (peer) {
    own.session = peer->session_id();
    own.received = peer->received();
    own.to = peer->name();
  }
  auto id = ++last_id_;
  auto made = std::unique_ptr<connection>{new connection{
      .id = id,
      .dials = dials,
      .peer = peer,
      .address = std::move(address),
      .handshake = {dials, std::move(own), key_},
      .tls = tls_ ? std::make_unique<tls_channel>(tls_, dials) : nullptr,
      .deadline = now + handshake_limit,
  }};
  return *connections_.emplace(id, std::move(made)).first->second;
}

connection_id link_engine::accepted(std::string from, link_time now) {
  if (unproven_ >= max_unproven_connections) {
    auto oldest = std::find_if(connections_.begin(), connections_.end(), [](auto& entry) {
      return !entry.second->dials && !entry.second->established;
    });
    drop(*oldest->second, "too many connections at once say nothing", ending::abort, now);
  }
  ++unproven_;
  return add(false, nullptr, std::move(from), now).id;
}

void link_engine::dial(link_peer& peer, link_time now) {
  auto address = peer.box().status().address;
  auto& made = add(true, &peer, address, now);
  peer.set_dialling(made.id);
  if (made.knocks())
    wire_.knock(made.id, address);
  else
    wire_.dial(made.id, address);
}

void link_engine::dialled(connection_id id, link_time now) {
  auto* at = find(id);
  if (!at)
    return;
  if (at->knocks()) {
    drop(*at, "it was only a knock", ending::answered, now);
  } else if (at->tls) {
    at->tls->begin();
    push_output(*at);
  } else {
    begin(*at);
  }
}

void link_engine::begin(connection& at) {
  at.begun = true;
  if (!at.dials)
    return;
  link_bytes out;
  at.handshake.begin(out);
  push(at, out);
}

void link_engine::push(connection& at, const link_bytes& plain) {
  if (plain.empty())
    return;
  if (at.tls) {
    // What goes wrong here is found by whoever reads next, or by silence.
    (void)at.tls->put(plain);
    push_output(at);
  } else {
    at.unwritten_bytes += plain.size();
    wire_.write(at.id, plain);
  }
}

void link_engine::push_output(connection& at) {
  cipher_.clear();
  at.tls->take_output(cipher_);
  if (cipher_.empty())
    return;
  at.unwritten_bytes += cipher_.size();
  wire_.write(at.id, cipher_);
}

void link_engine::received(connection_id id, std::span<const std::byte> bytes, link_time now) {
  auto* at = find(id);
  if (!at)
    return;
  at->heard = true;
  auto plain = bytes;
  if (at->tls) {
    plain_.clear();
    auto why = at->tls->take(bytes, plain_);
    push_output(*at);
    if (!why.empty())
      return drop(*at, why, ending::finish, now);
    if (!at->begun && at->tls->established())
      begin(*at);
    plain = plain_;
  }
  at->reader.feed(plain);
  while (auto next = at->reader.next())
    if (!take(*at, *next, now))
      return;
  if (!at->reader.broken().empty())
    return drop(*at, "it sent " + at->reader.broken(), ending::abort, now);
  if (at->established) {
    at->peer->heard();
    pump(*at->peer);
  }
}

bool link_engine::take(connection& at, const frame& from, link_time now) {
  return at.established ? converse(at, from, now) : shake(at, from, now);
}

bool link_engine::shake(connection& at, const frame& from, link_time now) {
  link_bytes out;
  auto step = at.handshake.take(from, out);
  if (step == link_handshake::step::claimed && !check_claim(at, out))
    step = link_handshake::step::failed;
  switch (step) {
    case link_handshake::step::more:
    case link_handshake::step::claimed:
      push(at, out);
      return true;
    case link_handshake::step::proven: {
      const auto& hello = at.handshake.peer();
      at.peer = hello.name == options_.caller ? place_of_caller(hello) : find_peer(hello.name);
      if (!at.peer) {
        at.handshake.refuse(out, refusal_reason::full,
                            "as many callers as it takes at once are there");
        break;
      }
      // What the old connection brings from now on would be told to be sent again.
      if (auto* old = find(at.peer->connection()))
        drop(*old, "another connection takes its place", ending::abort, now);
      at.handshake.welcome(out, at.peer->admit(at.handshake.peer()));
      push(at, out);
      --unproven_;
      establish(at, now);
      return true;
    }
    case link_handshake::step::welcomed:
      if (at.peer->welcomed(at.handshake.peer(), at.handshake.welcome())) {
        establish(at, now);
        // So that the other end knows that the session is known here.
        at.peer->session()->write_control(out, frame_kind::ack);
        push(at, out);
        pump(*at.peer);
        return true;
      }
      drop(at, "what it remembers of the session does not fit", ending::abort, now);
      return false;
    case link_handshake::step::failed:
      break;
  }
  push(at, out);
  drop(at, at.handshake.why(), ending::finish, now);
  return false;
}

bool link_engine::check_claim(connection& at, link_bytes& out) {
  const auto& hello = at.handshake.peer();
  auto* peer = find_peer(hello.name);
  bool calls = std::find(callers_.begin(), callers_.end(), peer) != callers_.end();
  bool expected = at.dials ? peer == at.peer
                           : peer && !peer->dials() && (!calls || hello.name == options_.caller);
  if (!expected || hello.to != options_.name) {
    at.handshake.refuse(out, refusal_reason::name,
                        "it says that it is a node that is not expected here: give all nodes the "
                        "same cluster file, with addresses that are right");
    return false;
  }
  if (at.tls && !at.tls->names(hello.name)) {
    at.handshake.refuse(out, refusal_reason::certificate,
                        "it says that it is " + hello.name +
                            ", which is not a subject alternative name of its certificate");
    return false;
  }
  at.handshake.accept(out);
  return true;
}

void link_engine::establish(connection& at, link_time now) {
  at.established = true;
  at.reader.set_limit(max_frame_bytes);
  at.peer->connected(at.id, now);
  if (stopping_)
    at.peer->never_dial_again();
}

bool link_engine::converse(connection& at, const frame& from, link_time now) {
  auto& peer = *at.peer;
  bool known = from.kind >= frame_kind::data && from.kind <= frame_kind::goodbye;
  auto taken = known ? peer.take(from) : link_session::taken{.violation = "an unknown frame"};
  if (!taken.violation.empty()) {
    auto why = "it did not keep to the protocol: " + taken.violation;
    drop(at, why, ending::abort, now);
    peer.lose(why);
    return false;
  }
  switch (from.kind) {
    case frame_kind::ping: {
      link_bytes out;
      peer.session()->write_control(out, frame_kind::pong, taken.token);
      push(at, out);
      return true;
    }
    case frame_kind::pong:
      peer.set_round_trip(std::chrono::microseconds{microseconds_of(now) - taken.token});
      return true;
    case frame_kind::goodbye:
      drop(at, "it has stopped", ending::finish, now);
      peer.lose("it has stopped");
      return false;
    default:
      return true;
  }
}

void link_engine::pump(link_peer& peer) {
  auto* session = peer.session();
  if (!session)
    return;
  if (peer.joined())
    session->queue(peer.box().take());
  auto* at = find(peer.connection());
  if (!at)
    return;
  auto& out = frames_;
  out.clear();
  while (at->unwritten_bytes + out.size() < max_unwritten_bytes && session->write_data(out)) {
  }
  if (out.empty() && session->owes_acknowledgement())
    session->write_control(out, frame_kind::ack);
  push(*at, out);
}

void link_engine::written(connection_id id, std::size_t unwritten_bytes) {
  auto* at = find(id);
  if (!at)
    return;
  at->unwritten_bytes = unwritten_bytes;
  if (at->established)
    pump(*at->peer);
}

void link_engine::flush() {
  if (stopped_)
    return;
  for (auto& peer : peers_)
    pump(*peer);
}

void link_engine::beat(link_peer& peer, link_time now) {
  auto* at = find(peer.connection());
  link_bytes out;
  peer.session()->write_control(out, frame_kind::ping, microseconds_of(now));
  push(*at, out);
}

void link_engine::closed(connection_id id, const std::string& why, link_time now) {
  if (auto* at = find(id))
    drop(*at, why, ending::closed, now);
}

void link_engine::refused(connection_id id, const std::string& why, link_time now) {
  if (auto* at = find(id))
    drop(*at, why, ending::refused, now);
}

void link_engine::drop(connection& at, const std::string& why, ending how, link_time now) {
  auto ended = std::move(connections_.extract(at.id).mapped());
  if (how == ending::finish)
    wire_.finish(ended->id);
  else if (how == ending::abort)
    wire_.abort(ended->id);
  if (!ended->dials && !ended->established) {
    --unproven_;
    // Whoever knocks to learn whether this node lives says nothing and goes.
    if (ended->heard || how != ending::closed)
      report(*ended, why, now);
  } else if (ended->established) {
    ended->peer->disconnected(why, now);
  } else if (ended->peer->dialling() == ended->id) {
    auto problem = "cannot reach " + ended->peer->name() + " at " + ended->address + ": " + why;
    if (how == ending::answered)
      ended->peer->answered(now);
    else if (how == ending::refused)
      ended->peer->refused(problem, now);
    else
      ended->peer->dial_failed(problem, now);
  }
  if (stopping_ && ended->peer)
    ended->peer->never_dial_again();
}

void link_engine::report(const connection& at, const std::string& why, link_time now) {
  if (!options_.report || now < report_again_at_)
    return;
  report_again_at_ = now + between_reports;
  options_.report("refused a connection from " + at.address + ": " + why);
}

void link_engine::advance(link_time now) {
  if (stopped_)
    return;
  while (true) {
    auto late = std::find_if(connections_.begin(), connections_.end(), [&](auto& entry) {
      return !entry.second->established && now >= entry.second->deadline;
    });
    if (late == connections_.end())
      break;
    drop(*late->second, "no handshake within " + std::to_string(handshake_limit.count()) + " ms",
         ending::abort, now);
  }
  for (auto& peer : peers_) {
    for (auto due = peer->next_due(now); due != link_peer::due::nothing;
         due = peer->next_due(now)) {
      switch (due) {
        case link_peer::due::dial:
          dial(*peer, now);
          break;
        case link_peer::due::beat:
          beat(*peer, now);
          break;
        case link_peer::due::silent: {
          auto why = "no sign of life for " + std::to_string(options_.silence_limit.count()) +
                     " ms: it is frozen or cut off";
          peer->interrupt(why);
          drop(*find(peer->connection()), why, ending::abort, now);
          break;
        }
        case link_peer::due::gone:
          peer->lose("it did not come back within " +
                     std::to_string(options_.resume_window.count()) + " ms");
          // A dial under way has promised to go on with the session.
          if (auto* under_way = find(peer->dialling()))
            drop(*under_way, "the session ended meanwhile", ending::abort, now);
          break;
        case link_peer::due::nothing:
          break;
      }
    }
  }
}

link_time link_engine::deadline() const {
  auto first = link_time::max();
  if (stopped_)
    return first;
  for (const auto& peer : peers_)
    first = std::min(first, peer->deadline());
  for (const auto& [id, at] : connections_)
    if (!at->established)
      first = std::min(first, at->deadline);
  return first;
}

void link_engine::begin_stop(link_time now) {
  stopping_ = true;
  for (auto& peer : peers_) {
    peer->never_dial_again();
    if (peer->joined() && find(peer->connection())) {
      pump(*peer);
      beat(*peer, now);
    }
  }
}

bool link_engine::drained() {
  return std::all_of(peers_.begin(), peers_.end(), [&](auto& peer) {
    return !peer->joined() || !find(peer->connection()) || peer->session()->all_acknowledged();
  });
}

void link_engine::stop() {
  stopped_ = true;
  for (auto& [id, at] : connections_) {
    if (at->established) {
      link_bytes out;
      at->peer->session()->write_control(out, frame_kind::goodbye);
      push(*at, out);
    }
    // What did not get away by now would hold the connection for as long as the peer likes.
    if (at->unwritten_bytes > max_unwritten_bytes / 2 || !at->established)
      wire_.abort(id);
    else
      wire_.finish(id);
  }
  connections_.clear();
}

}  // namespace microlith::internal
