// What is published here goes to the nodes that listen to it or wait for it, many in a frame; what
// other nodes have published, to those who listen here.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

/// Memory that is kept for the next event.
constexpr std::size_t max_kept_event_bytes = std::size_t{64} << 10;

}  // namespace

// As the peers know it, and who wants it, until something changes about that.
cluster::published_type& cluster::published_as(const message_type& type) {
  if (auto version = routing_version_.load(std::memory_order_acquire);
      version != published_version_) {
    published_types_.clear();
    published_version_ = version;
  }
  auto [at, is_new] = published_types_.try_emplace(&type);
  auto& as = at->second;
  if (is_new) {
    as.number = number_of(type);
    std::shared_lock lock{routing_mutex_};
    if (auto wanted = routing_.wants.find(std::string{type.name}); wanted != routing_.wants.end())
      as.wanting = wanted->second;
  }
  return as;
}

void cluster::publish(const envelope& message) {
  const auto& as = published_as(message.type());
  pass_to_open_work(message);
  auto path = path_of(message.head());
  if (path.empty() && as.wanting.empty())
    return;
  try {
    encode_published(message, as.number);
  } catch (...) {
    not_passed(path, message, not_encoded(message));
    return;
  }
  auto is_in = [](const std::vector<peer*>& all, const peer* one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (auto* each : path)
    gather(*each, message,
           is_in(as.wanting, each) ? wire::use::pass | wire::use::subscribe : wire::use::pass);
  for (auto* each : as.wanting) {
    if (!is_in(path, each))
      gather(*each, message, wire::use::subscribe);
  }
  if (message.type().holds_secret)
    wipe(published_event_.data(), published_event_.size());
  if (published_event_.capacity() > max_kept_event_bytes)
    published_event_ = {};
}

void cluster::encode_published(const envelope& message, std::uint32_t type) {
  const auto& head = message.head();
  if (published_facts_as_written_.empty() || published_facts_ != head.facts) {
    published_facts_as_written_.clear();
    encode_to(published_facts_as_written_, wire::published_facts{.facts = facts_to_wire(head)});
    published_facts_ = head.facts;
  }
  head_to_wire(publishing_.envelope, message);
  publishing_.envelope.type = type;
  published_event_.clear();
  wire::append_message(published_event_, publishing_, message);
}

void cluster::gather(peer& to, const envelope& message, std::uint8_t use) {
  const auto& facts = message.head().facts;
  if (message.type().holds_secret) {
    if (!to.carries_secrets)
      return;
    // It lies nowhere for longer than it must.
    published_frame alone;
    alone.add(use, published_event_, facts, published_facts_as_written_);
    deliver(to, alone.frame());
    alone.wipe();
    return;
  }
  std::lock_guard lock{to.sending};
  if (!to.joined.load())
    return;
  if (to.published.empty())
    published_to_.push_back(&to);
  to.published.add(use, published_event_, facts, published_facts_as_written_);
  if (to.published.is_full())
    send_published(to);
}

void cluster::published_all() {
  for (auto* to : published_to_) {
    std::lock_guard lock{to->sending};
    send_published(*to);
  }
  published_to_.clear();
}

void cluster::take_published(peer& from, std::span<const std::byte> body) {
  byte_reader reader{body};
  std::shared_ptr<const conversation_facts> facts;
  auto& said = from.heard;
  while (reader.left() != 0) {
    if (body[body.size() - reader.left()] == std::byte{wire::use::none}) {
      wire::published_facts written;
      reader(written);
      facts = facts_from_wire(from, std::move(written.facts), {}, 0);
    } else {
      reader(said);
      if (!facts)
        facts = facts_from_wire(from, {}, {}, 0);
      if (!reader.failed())
        take_event(from, said, facts);
    }
    if (reader.failed()) {
      log_unreadable(from, reader.take_error("microlith.published"));
      return;
    }
  }
  if (said.envelope.body.capacity() > max_kept_event_bytes)
    said.envelope.body = {};
}

// One that was published, or that passed, on another node.
void cluster::take_event(peer& from, wire::message& said,
                         const std::shared_ptr<const conversation_facts>& facts) {
  auto& node = runtime_.actors();
  // Whoever sees an event sees a journal that holds it.
  if (remote_journal_ != nullptr && said.envelope.position != 0)
    remote_journal_->has_grown(said.envelope.position);
  auto message = from_wire(from, said.envelope, facts, false);
  bool passes = (said.use & wire::use::pass) != 0;
  if (!message) {
    // Somebody may wait for it, in vain. One that nobody here has heard of nobody waits for.
    if (passes && !type_from(from, said.envelope.type).problem.empty())
      static_cast<void>(node.talks->fail(said.envelope.correlation, said.envelope.root,
                                         {.kind = failure_kind::handler_failed,
                                          .certainty = certainty::unknown,
                                          .text = message.error(),
                                          .message = said.envelope.id},
                                         node.now()));
    return;
  }
  if (passes) {
    node.talks->pass(*message, node.now());
    pass_to_open_work(*message);
  }
  if ((said.use & wire::use::subscribe) != 0)
    from.to_subscribers.push_back(std::move(*message));
}

}  // namespace microlith::internal
