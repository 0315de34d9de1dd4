#pragma once

// Nodes whose links run over a network in memory, in virtual time: connections that break in the
// middle of a frame, directions that are cut and heal, nodes that freeze and restart.
//
// Every message names its sender's process, how often that one had joined, and its number since
// then; every node checks at once that what arrives may arrive.

#include <microlith/actors/internal/link/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace microlith::test {

using namespace std::chrono_literals;
using internal::connection_id;
using internal::link_bytes;
using internal::link_time;
using internal::sent;

class simulated_network;

struct note {
  std::uint64_t process = 0;
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  std::uint64_t size = 0;
};

class simulated_node final : public internal::link_wire, public internal::link_events {
 public:
  simulated_node(simulated_network& net, internal::link_options options,
                 std::shared_ptr<const internal::tls_context> tls, std::uint64_t process);

  [[nodiscard]] sent say(const std::string& peer, std::size_t size);

  void dial(connection_id id, const std::string& address) override;
  void knock(connection_id id, const std::string& address) override;
  void write(connection_id id, std::span<const std::byte> bytes) override;
  void finish(connection_id id) override;
  void abort(connection_id id) override;

  void joined(const std::string& peer, message_id incarnation) override;
  void arrived(const std::string& peer, std::span<const std::byte> message) override;
  void all_arrived(const std::string& peer) override;
  void interrupted(const std::string& peer, const std::string& why) override;
  void resumed(const std::string& peer) override;
  void lost(const std::string& peer, const std::string& why) override;

  [[nodiscard]] internal::link_status status(const std::string& peer) const {
    return boxes.at(peer)->status();
  }

  struct conversation {
    bool joined = false;
    bool interrupted = false;
    bool more_may_arrive = false;
    std::uint64_t epoch = 0;  ///< how often it has joined
    std::uint64_t said = 0;   ///< taken since then
    std::uint64_t taken_in_all = 0;
    std::uint64_t heard = 0;  ///< since then
    std::uint64_t heard_in_all = 0;
    std::pair<std::uint64_t, std::uint64_t> from;  ///< process and epoch of what is heard
    std::set<std::pair<std::uint64_t, std::uint64_t>> earlier;
    std::uint64_t interruptions = 0;
    std::uint64_t losses = 0;
    std::string why;
    message_id incarnation;
  };

  simulated_network& net;
  const internal::link_options options;
  const std::uint64_t process;
  std::map<std::string, std::shared_ptr<internal::outbox>> boxes;
  std::map<std::string, conversation> with;
  std::vector<std::string> wrong;  ///< what must not happen
  std::vector<std::string> reports;
  std::unique_ptr<internal::link_engine> engine;
  bool frozen = false;
  std::size_t dials = 0;
};

class simulated_network {
 public:
  explicit simulated_network(std::uint64_t seed = 1) : random{seed} {}

  simulated_node& add(const std::string& name, const std::vector<std::string>& peers,
                      internal::link_options options = {},
                      std::shared_ptr<const internal::tls_context> tls = nullptr) {
    options.name = name;
    for (const auto& peer : peers)
      options.peers.push_back({peer, peer});
    options.incarnation = message_id::make();
    nodes[name] = std::make_unique<simulated_node>(*this, options, std::move(tls), ++last_process);
    return *nodes[name];
  }

  /// The process dies, connections break, and another one takes its place.
  simulated_node& restart(const std::string& name) {
    auto options = nodes[name]->options;
    kill(name);
    options.peers.clear();
    std::vector<std::string> peers;
    for (const auto& [peer, box] : graveyard.back()->boxes)
      peers.push_back(peer);
    auto& again = add(name, peers, options);
    again.engine->start(again, now);
    return again;
  }

  void kill(const std::string& name) {
    auto* node = nodes[name].get();
    for (auto& one : pipes)
      if (one->ends[0].node == node || one->ends[1].node == node)
        break_off(*one, false);
    graveyard.push_back(std::move(nodes[name]));
    nodes.erase(name);
  }

  void start() {
    for (auto& [name, node] : nodes)
      node->engine->start(*node, now);
  }

  void run(std::chrono::milliseconds time) {
    for (auto end = now + time; now < end;) {
      now += 5ms;
      step();
    }
  }

  /// Breaks every connection between these two, in the middle of whatever is on its way.
  void cut_connections() {
    for (auto& one : pipes)
      break_off(*one, true);
  }

  /// Nothing gets from one to the other any more; what is sent waits.
  void block(const std::string& from, const std::string& to) { blocked.insert({from, to}); }
  /// Whoever dials this node is refused, though it lives, as by a wall before it.
  void close_port(const std::string& of) { closed_ports.insert(of); }
  void heal() {
    blocked.clear();
    closed_ports.clear();
  }

  /// Hands bytes of somebody's own making to a node, as a connection from outside.
  connection_id knock(simulated_node& at) { return at.engine->accepted("a stranger", now); }

  link_time now{std::chrono::hours{1}};
  std::mt19937_64 random;
  std::map<std::string, std::unique_ptr<simulated_node>> nodes;
  std::size_t bytes_a_step = 256 << 10;

 private:
  friend class simulated_node;

  struct pipe_end {
    simulated_node* node = nullptr;
    connection_id id = internal::no_connection;
    link_bytes outgoing;  ///< written here, not yet at the other end
    bool ends = false;    ///< nothing more will be written here
    bool told = false;    ///< has been told that the connection is closed, or has closed it
  };
  struct pipe {
    pipe_end ends[2];
    std::string address;
    bool only_knocks = false;
    bool established = false;
    bool broken = false;
  };

  [[nodiscard]] bool is_blocked(const std::string& from, const std::string& to) const {
    return blocked.contains({from, to});
  }

  void break_off(pipe& one, bool in_the_middle) {
    if (one.broken)
      return;
    one.broken = true;
    for (auto& end : one.ends)
      end.outgoing.resize(in_the_middle && !end.outgoing.empty() ? random() % end.outgoing.size()
                                                                 : 0);
  }

  pipe* find(simulated_node& node, connection_id id, int& side) {
    for (auto& one : pipes)
      for (side = 0; side < 2; ++side)
        if (one->ends[side].node == &node && one->ends[side].id == id)
          return one.get();
    return nullptr;
  }

  void step() {
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      auto& one = *pipes[i];
      if (!one.established)
        connect(one);
      if (one.established)
        for (int side = 0; side < 2; ++side)
          carry(one.ends[side], one.ends[1 - side], one.broken);
    }
    std::erase_if(pipes, [](auto& one) { return one->ends[0].told && one->ends[1].told; });
    for (auto& [name, node] : nodes) {
      if (node->frozen)
        continue;
      node->engine->flush();
      if (node->engine->deadline() <= now)
        node->engine->advance(now);
    }
  }

  void connect(pipe& one) {
    auto& from = one.ends[0];
    if (alive(from.node) && from.node->frozen)
      return;
    auto target = nodes.find(one.address);
    if (!one.broken && (is_blocked(from.node->options.name, one.address) ||
                        is_blocked(one.address, from.node->options.name)))
      return;
    if (one.broken || target == nodes.end() || closed_ports.contains(one.address)) {
      if (!std::exchange(from.told, true) && alive(from.node)) {
        if (one.broken)
          from.node->engine->closed(from.id, "the connection was closed", now);
        else
          from.node->engine->refused(from.id, "connection refused", now);
      }
      one.ends[1].told = true;
      return;
    }
    auto& to = *target->second;
    one.established = true;
    one.ends[1].node = &to;
    // A frozen process accepts, too: its machine does.
    one.ends[1].id = to.engine->accepted(from.node->options.name, now);
    from.ends = from.told = one.only_knocks;
    from.node->engine->dialled(from.id, now);
  }

  [[nodiscard]] bool alive(const simulated_node* node) const {
    return std::any_of(nodes.begin(), nodes.end(),
                       [&](auto& entry) { return entry.second.get() == node; });
  }

  void carry(pipe_end& from, pipe_end& to, bool broken) {
    if (!alive(to.node))
      to.told = true;
    if (to.told || to.node->frozen)
      return;
    if (alive(from.node) && is_blocked(from.node->options.name, to.node->options.name))
      return;
    auto left = std::min(from.outgoing.size(), bytes_a_step);
    bool whole = left == from.outgoing.size();
    link_bytes moved(from.outgoing.begin(),
                     from.outgoing.begin() + static_cast<std::ptrdiff_t>(left));
    from.outgoing.erase(from.outgoing.begin(),
                        from.outgoing.begin() + static_cast<std::ptrdiff_t>(left));
    std::span<const std::byte> rest{moved};
    while (!rest.empty() && !to.told) {
      auto size = std::min<std::size_t>(rest.size(), 1 + random() % 20'000);
      to.node->engine->received(to.id, rest.first(size), now);
      rest = rest.subspan(size);
    }
    if (!moved.empty() && alive(from.node) && !from.told)
      from.node->engine->written(from.id, from.outgoing.size());
    if (whole && (from.ends || broken) && !std::exchange(to.told, true))
      to.node->engine->closed(to.id, "the connection was closed", now);
  }

  std::vector<std::unique_ptr<pipe>> pipes;
  std::vector<std::unique_ptr<simulated_node>> graveyard;
  std::set<std::pair<std::string, std::string>> blocked;
  std::set<std::string> closed_ports;
  std::uint64_t last_process = 0;
};

inline simulated_node::simulated_node(simulated_network& on, internal::link_options given,
                                      std::shared_ptr<const internal::tls_context> tls,
                                      std::uint64_t number)
    : net{on}, options{std::move(given)}, process{number} {
  std::vector<std::shared_ptr<internal::outbox>> all;
  for (const auto& peer : options.peers) {
    all.push_back(
        std::make_shared<internal::outbox>(peer.name, peer.address, options.max_kept_bytes));
    boxes[peer.name] = all.back();
    with[peer.name];
  }
  auto own = options;
  own.report = [this](const std::string& text) { reports.push_back(text); };
  engine = std::make_unique<internal::link_engine>(own, secret<std::string>{"the same for all"},
                                                   std::move(tls), all, *this, number);
}

inline sent simulated_node::say(const std::string& peer, std::size_t size) {
  auto& talk = with[peer];
  note head{process, talk.epoch, talk.said, size};
  link_bytes bytes(sizeof head + size);
  std::memcpy(bytes.data(), &head, sizeof head);
  auto result = boxes.at(peer)->put(bytes).outcome;
  if (result == sent::taken) {
    ++talk.said;
    ++talk.taken_in_all;
  }
  return result;
}

inline void simulated_node::dial(connection_id id, const std::string& address) {
  ++dials;
  auto made = std::make_unique<simulated_network::pipe>();
  made->ends[0].node = this;
  made->ends[0].id = id;
  made->address = address;
  net.pipes.push_back(std::move(made));
}

inline void simulated_node::knock(connection_id id, const std::string& address) {
  dial(id, address);
  net.pipes.back()->only_knocks = true;
}

inline void simulated_node::write(connection_id id, std::span<const std::byte> bytes) {
  int side = 0;
  auto* pipe = net.find(*this, id, side);
  if (pipe && !pipe->broken)
    pipe->ends[side].outgoing.insert(pipe->ends[side].outgoing.end(), bytes.begin(), bytes.end());
}

inline void simulated_node::finish(connection_id id) {
  int side = 0;
  if (auto* pipe = net.find(*this, id, side)) {
    pipe->ends[side].ends = true;
    pipe->ends[side].told = true;
    if (!pipe->established)
      pipe->ends[1 - side].told = true;
  }
}

inline void simulated_node::abort(connection_id id) {
  int side = 0;
  if (auto* pipe = net.find(*this, id, side))
    pipe->ends[side].outgoing.clear();
  finish(id);
}

inline void simulated_node::joined(const std::string& peer, message_id incarnation) {
  auto& talk = with[peer];
  if (talk.joined)
    wrong.push_back("joined twice");
  talk.joined = true;
  talk.interrupted = false;
  ++talk.epoch;
  talk.said = 0;
  talk.heard = 0;
  talk.incarnation = incarnation;
}

inline void simulated_node::arrived(const std::string& peer, std::span<const std::byte> message) {
  auto& talk = with[peer];
  note head;
  if (!talk.joined || message.size() < sizeof head)
    return wrong.push_back("arrived while not joined, or cut off");
  std::memcpy(&head, message.data(), sizeof head);
  if (head.size + sizeof head != message.size())
    wrong.push_back("arrived with another size");
  std::pair from{head.process, head.epoch};
  if (talk.heard == 0) {
    if (!talk.earlier.insert(from).second)
      wrong.push_back("arrived from a session that had ended");
    talk.from = from;
  }
  if (talk.from != from || head.number != talk.heard)
    wrong.push_back("arrived: number " + std::to_string(head.number) + " instead of " +
                    std::to_string(talk.heard));
  ++talk.heard;
  ++talk.heard_in_all;
  talk.more_may_arrive = true;
}

inline void simulated_node::all_arrived(const std::string& peer) {
  if (!std::exchange(with[peer].more_may_arrive, false))
    wrong.push_back("all of nothing has arrived");
}

inline void simulated_node::interrupted(const std::string& peer, const std::string& why) {
  auto& talk = with[peer];
  if (!talk.joined || talk.interrupted || talk.more_may_arrive)
    wrong.push_back("interrupted at the wrong time");
  talk.interrupted = true;
  ++talk.interruptions;
  talk.why = why;
}

inline void simulated_node::resumed(const std::string& peer) {
  auto& talk = with[peer];
  if (!talk.joined || !talk.interrupted || talk.more_may_arrive)
    wrong.push_back("resumed at the wrong time");
  talk.interrupted = false;
}

inline void simulated_node::lost(const std::string& peer, const std::string& why) {
  auto& talk = with[peer];
  if (!talk.joined || talk.more_may_arrive)
    wrong.push_back("lost at the wrong time");
  talk.joined = false;
  ++talk.losses;
  talk.why = why;
}

}  // namespace microlith::test
