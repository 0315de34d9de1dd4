// Messages between nodes: to the one that serves them, home to those who wait, to subscribers.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

namespace microlith::internal {

namespace {

/// Memory that is kept for the next message.
constexpr std::size_t max_kept_frame_bytes = std::size_t{64} << 10;

wire::facts facts_in(wire::message& said) {
  return said.envelope.facts ? std::move(*said.envelope.facts) : wire::facts{};
}

}  // namespace

peer* cluster::server_of(const message_type& type) {
  std::shared_lock lock{routing_mutex_};
  auto at = routing_.serves.find(std::string{type.name});
  return at == routing_.serves.end() ? nullptr : at->second;
}

// Nobody could, or somebody would.
failure cluster::not_served(const envelope& message) {
  std::string type{message.type().name};
  auto component = setup_.served_by.find(type);
  std::string node;
  std::string by;
  if (component != setup_.served_by.end()) {
    by = " as part of " + component->second;
    auto at = place_of(component->second);
    if (!at)
      return refused(failure_kind::unreachable, message,
                     type + " is served" + by + ", which is moving; try again");
    node = at->node;
  }
  if (node.empty()) {
    std::shared_lock lock{routing_mutex_};
    if (auto before = served_before_.find(type); before != served_before_.end())
      node = before->second;
  }
  if (node.empty())
    return refused(failure_kind::no_handler, message,
                   "nobody serves " + type + "; host the component that does");
  if (node == setup_.node)
    return refused(failure_kind::unreachable, message,
                   type + " is served here" + by + ", which has not started yet: node " +
                       journal_node_ + ", which has the journal, is waited for");
  const auto* at = find(node);
  return refused(failure_kind::unreachable, message,
                 type + " is served by node " + node + by + ", which cannot be reached: " +
                     (at ? at->why_not() : "it is not in the cluster file") +
                     "; try again when it is there");
}

// Whether what came here was sent before its sender knew that the component runs there by now.
bool cluster::has_left(const envelope& message, const peer& to) const {
  const auto* part = part_of(message.type());
  auto at = part == nullptr ? std::nullopt : place_of(part->name);
  return at && at->epoch != 0 && at->node == to.name &&
         message.head().facts->came_by->node != to.name;
}

std::optional<failure> cluster::refuses(const envelope& message) {
  // While its component moves it waits for that.
  if (auto at = gates_.find(&message.type()); at != gates_.end() && at->second->holds())
    return std::nullopt;
  if (server_of(message.type()) != nullptr)
    return std::nullopt;
  return not_served(message);
}

void cluster::carry(envelope&& message, bool was_held) {
  auto& node = runtime_.actors();
  auto* to = server_of(message.type());
  if (to == nullptr || (came_over_a_link(message) && !was_held && !has_left(message, *to))) {
    // One that came here is not sent on: its sender knows better by now.
    node.turned_away(message, not_served(message));
    return;
  }
  const auto& type = message.type();
  if (type.holds_secret && !to->carries_secrets) {
    node.turned_away(
        message,
        refused(failure_kind::unreachable, message,
                std::string{type.name} + " holds a secret, and the link to node " + to->name +
                    " is neither on loopback nor TLS; add [tls] to the cluster file"));
    return;
  }
  auto ticket = last_ticket_.fetch_add(1, std::memory_order_relaxed) + 1;
  auto encoded = frame_of(message, wire::use::handle, ticket);
  if (!encoded) {
    node.turned_away(message, encoded.error());
    return;
  }
  auto& frame = *encoded;
  {
    std::lock_guard lock{forwarded_mutex_};
    forwarded_.emplace(ticket, forwarded_message{to, message});
    forwarded_in_.emplace(message.head().correlation, ticket);
    forwarded_count_.store(forwarded_.size(), std::memory_order_release);
  }
  auto how = frame.size() > wire::max_frame_bytes ? sent::overloaded : offer(*to, frame);
  if (type.holds_secret)
    wipe(frame.data(), frame.size());
  if (how == sent::taken)
    return;
  end_forwarded(ticket, [&](const envelope& not_sent) {
    if (how == sent::unreachable) {
      node.turned_away(not_sent, not_served(not_sent));
      return;
    }
    node.turned_away(not_sent, refused(failure_kind::overloaded, not_sent,
                                       "the link to node " + to->name + " is full, or " +
                                           std::string{type.name} +
                                           " is larger than it takes; try again later"));
  });
}

void cluster::forget_conversation_of(std::uint64_t ticket, const envelope& message) {
  auto [at, end] = forwarded_in_.equal_range(message.head().correlation);
  while (at != end && at->second != ticket)
    ++at;
  if (at != end)
    forwarded_in_.erase(at);
}

void cluster::pass_to_open_work(const envelope& message) {
  if (forwarded_count_.load(std::memory_order_acquire) == 0)
    return;
  const auto& head = message.head();
  std::vector<peer*> to;
  {
    std::lock_guard lock{forwarded_mutex_};
    auto [at, end] = forwarded_in_.equal_range(head.correlation);
    for (; at != end; ++at) {
      const auto& open = forwarded_.at(at->second);
      // What it has caused itself its node knows of.
      if (open.message.head().root != head.root &&
          std::find(to.begin(), to.end(), open.to) == to.end())
        to.push_back(open.to);
    }
  }
  // Never back to where it has been, so that it comes to an end.
  for (auto* been : path_of(head))
    std::erase(to, been);
  pass_to(to, message);
}

void cluster::end_forwarded(std::uint64_t ticket, const std::function<void(const envelope&)>& end) {
  forwarded_message ended;
  {
    std::lock_guard lock{forwarded_mutex_};
    auto at = forwarded_.find(ticket);
    if (at == forwarded_.end())
      return;
    ended = std::move(at->second);
    forget_conversation_of(ticket, ended.message);
    forwarded_.erase(at);
    forwarded_count_.store(forwarded_.size(), std::memory_order_release);
  }
  end(ended.message);
}

bool cluster::finished(const envelope& message, accepted how) {
  if (!came_over_a_link(message))
    return false;
  const auto& by = *message.head().facts->came_by;
  handling_.fetch_sub(1, std::memory_order_acq_rel);
  if (auto* to = find(by.node))
    deliver(*to, wire::frame(wire::kind::finished, wire::finished{by.ticket, how.position}));
  return true;
}

bool cluster::failed(const envelope& message, const failure& why) {
  if (!came_over_a_link(message))
    return false;
  const auto& by = *message.head().facts->came_by;
  handling_.fetch_sub(1, std::memory_order_acq_rel);
  if (auto* to = find(by.node))
    deliver(*to, wire::frame(wire::kind::failed, wire::failed{by.ticket, failure_to_wire(why)}));
  return true;
}

void cluster::pass_failure(const envelope& message, const failure& why) {
  pass_failure(path_of(message.head()), message, why);
}

void cluster::pass_failure(const std::vector<peer*>& to, const envelope& message,
                           const failure& why) {
  if (to.empty())
    return;
  auto frame = wire::frame(wire::kind::failed_conversation,
                           wire::failed_conversation{message.head().correlation,
                                                     message.head().root, failure_to_wire(why)});
  for (auto* each : to)
    deliver(*each, frame);
}

std::vector<peer*> cluster::path_of(const envelope_head& head) {
  std::vector<peer*> path;
  const auto& facts = facts_of(head);
  auto add = [&](const std::string& name) {
    if (name == setup_.node)
      return;
    auto* at = find(name);
    if (at != nullptr && std::find(path.begin(), path.end(), at) == path.end())
      path.push_back(at);
  };
  add(facts.origin);
  for (const auto* at = facts.came_by.get(); at != nullptr; at = at->before.get())
    add(at->node);
  return path;
}

void cluster::pass_on(const envelope& message, const envelope_head& along) {
  pass_to(path_of(along), message);
}

void cluster::pass_to(const std::vector<peer*>& to, const envelope& message) {
  if (to.empty())
    return;
  auto encoded = frame_of(message, wire::use::pass, 0);
  if (!encoded) {
    not_passed(to, message, encoded.error());
    return;
  }
  auto& frame = *encoded;
  for (auto* each : to) {
    if (!message.type().holds_secret || each->carries_secrets)
      deliver(*each, frame);
  }
  if (message.type().holds_secret)
    wipe(frame.data(), frame.size());
}

// Whoever waits there for what came of the message that caused this one would wait in vain.
void cluster::not_passed(const std::vector<peer*>& to, const envelope& message, failure why) {
  auto& node = runtime_.actors();
  node.log(log_level::error, why.text);
  node.counters.dropped_for_nodes.fetch_add(1, std::memory_order_relaxed);
  why.certainty = certainty::unknown;
  why.message = message.head().causation;
  pass_failure(to, message, why);
}

void cluster::take_message(peer& from, std::span<const std::byte> body) {
  auto& said = from.heard;
  if (auto read = decode_into(said, body); !read) {
    log_unreadable(from, read.error());
    return;
  }
  if ((said.use & wire::use::handle) != 0)
    take_to_handle(from, said);
  else
    take_event(from, said, facts_from_wire(from, facts_in(said), {}, 0));
  if (said.envelope.body.capacity() > max_kept_frame_bytes)
    said.envelope.body = {};
}

void cluster::take_to_handle(peer& from, wire::message& said) {
  auto& node = runtime_.actors();
  auto refuse = [&](failure_kind kind, std::string text) {
    failure why{.kind = kind,
                .certainty = certainty::not_done,
                .text = std::move(text),
                .message = said.envelope.id};
    deliver(from, wire::frame(wire::kind::failed, wire::failed{said.ticket, failure_to_wire(why)}));
  };
  auto facts = facts_from_wire(from, facts_in(said), said.envelope.id, said.ticket);
  auto message = from_wire(from, said.envelope, std::move(facts), false);
  if (!message) {
    refuse(failure_kind::handler_failed, message.error());
    return;
  }
  auto kind = message->type().kind;
  if (kind != message_kind::command && kind != message_kind::query) {
    refuse(failure_kind::handler_failed, "only commands and queries are handled for other nodes");
    return;
  }
  if (node.closed.load(std::memory_order_acquire)) {
    refuse(failure_kind::stopped,
           "node " + setup_.node + " is stopping; dispatch again when it has restarted");
    return;
  }
  handling_.fetch_add(1, std::memory_order_acq_rel);
  auto& bus = node.bus(kind == message_kind::command ? bus_kind::command : bus_kind::query);
  bus.deliver(std::move(*message));
}

}  // namespace microlith::internal
