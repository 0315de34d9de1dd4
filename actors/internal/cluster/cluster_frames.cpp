// What arrives: pieces are put together, and each frame is handed to what it is for.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

namespace microlith::internal {

void cluster::log_unreadable(const peer& from, const decode_error& why) {
  runtime_.actors().log(log_level::error,
                        "node " + from.name + " sent what cannot be read: " + to_string(why));
}

template <class T, class F>
void cluster::take_as(peer& from, std::span<const std::byte> body, F use) {
  if (auto decoded = decode<T>(body))
    use(std::move(*decoded));
  else
    log_unreadable(from, decoded.error());
}

void cluster::arrived(const std::string& name, std::span<const std::byte> message) {
  auto* from = find(name);
  if (from == nullptr || message.empty())
    return;
  auto which = static_cast<wire::kind>(message.front());
  if (which != wire::kind::fragment && which != wire::kind::last_fragment) {
    take(*from, message);
    return;
  }
  auto piece = message.subspan(1);
  if (from->pieces.size() + piece.size() > wire::max_frame_bytes) {
    runtime_.actors().log(log_level::error, "node " + name + " sent a frame of more than " +
                                                std::to_string(wire::max_frame_bytes) + " bytes");
    from->pieces.clear();
    return;
  }
  from->pieces.insert(from->pieces.end(), piece.begin(), piece.end());
  if (which == wire::kind::last_fragment) {
    auto whole = std::exchange(from->pieces, {});
    if (!whole.empty())
      take(*from, whole);
  }
}

void cluster::all_arrived(const std::string& name) {
  auto* from = find(name);
  if (from == nullptr)
    return;
  if (from->to_subscribers.empty())
    return;
  event_batch batch;
  batch.messages = std::exchange(from->to_subscribers, {});
  from->to_subscribers.reserve(batch.messages.size());
  caf::anon_send(runtime_.actors().writer, std::move(batch));
}

void cluster::take(peer& from, std::span<const std::byte> frame) {
  auto body = frame.subspan(1);
  auto which = static_cast<wire::kind>(frame.front());
  if ((which == wire::kind::operator_question) != from.is_operator) {
    runtime_.actors().log(log_level::error, from.name + " sent what is not for it to say");
    return;
  }
  switch (which) {
    case wire::kind::greeting:
      take_as<wire::greeting>(from, body,
                              [&](auto&& said) { take_greeting(from, std::move(said)); });
      return;
    case wire::kind::types:
      take_as<wire::types>(from, body, [&](auto&& said) { take_types(from, std::move(said)); });
      return;
    case wire::kind::routes:
      take_as<wire::routes>(from, body, [&](auto&& said) { take_routes(from, std::move(said)); });
      return;
    case wire::kind::message:
      take_message(from, body);
      return;
    case wire::kind::published:
      take_published(from, body);
      return;
    case wire::kind::finished:
      take_as<wire::finished>(from, body, [&](auto&& said) {
        // Whoever is told of a position sees a journal that has it.
        if (remote_journal_ != nullptr)
          remote_journal_->has_grown(said.position);
        end_forwarded(said.ticket, [&](const envelope& message) {
          runtime_.actors().finished(message, {said.position});
        });
      });
      return;
    case wire::kind::failed:
      take_as<wire::failed>(from, body, [&](auto&& said) {
        end_forwarded(said.ticket, [&](const envelope& message) {
          runtime_.actors().failed(message, failure_from_wire(std::move(said.why)));
        });
      });
      return;
    case wire::kind::failed_conversation:
      take_as<wire::failed_conversation>(from, body, [&](auto&& said) {
        auto& node = runtime_.actors();
        static_cast<void>(node.talks->fail(said.correlation, said.root,
                                           failure_from_wire(std::move(said.why)), node.now()));
      });
      return;
    case wire::kind::append:
      take_as<wire::append>(from, body, [&](auto&& said) { take_append(from, std::move(said)); });
      return;
    case wire::kind::append_outcome:
      take_as<wire::append_outcome>(from, body,
                                    [&](auto&& said) { take_outcome(std::move(said)); });
      return;
    case wire::kind::read:
      take_as<wire::read>(from, body, [&](auto&& said) { take_read(from, std::move(said)); });
      return;
    case wire::kind::page:
      take_as<wire::page>(from, body, [&](auto&& said) { take_page(std::move(said)); });
      return;
    case wire::kind::bell:
      take_as<wire::bell>(from, body, [&](auto&& said) { ring_here(said.position); });
      return;
    case wire::kind::placement:
      if (from.name != journal_node_)
        return;
      take_as<wire::placement>(from, body, [&](auto&& said) { take_placement(std::move(said)); });
      return;
    case wire::kind::step:
      if (from.name != journal_node_)
        return;
      take_as<wire::move_step>(from, body, [&](auto&& said) { take_step(std::move(said)); });
      return;
    case wire::kind::step_report:
      take_as<wire::move_step>(from, body, [&](auto&& said) {
        on_keeper([this, name = from.name, said = std::move(said)] {
          if (mover_)
            mover_->reported(name, said);
        });
      });
      return;
    case wire::kind::operator_question:
      take_as<wire::operator_question>(
          from, body, [&](auto&& said) { take_operator_question(from, std::move(said)); });
      return;
    case wire::kind::operator_answer:
    case wire::kind::fragment:
    case wire::kind::last_fragment:
      break;
  }
  runtime_.actors().log(log_level::error,
                        "node " + from.name + " sent a frame of a kind that is not known here");
}

void cluster::take_greeting(peer& from, wire::greeting&& said) {
  auto& node = runtime_.actors();
  if (said.protocol != wire::protocol) {
    auto why = "it speaks protocol " + std::to_string(said.protocol) + ", this node " +
               std::to_string(wire::protocol) + "; run the same version on both";
    std::lock_guard lock{from.looking};
    from.why = why;
    node.log(log_level::error, "node " + from.name + ": " + why);
    return;
  }
  from.greeted.store(true);
  if (from.name != journal_node_)
    return;
  if (!said.has_journal || remote_journal_ == nullptr) {
    node.log(log_level::error, "node " + from.name +
                                   " does not have the journal, which the "
                                   "cluster file gives it; use one file on all "
                                   "nodes");
    return;
  }
  if (!remote_journal_->connect(said.journal_epoch, said.last_position)) {
    node.log(log_level::error, "node " + from.name +
                                   " has another journal than before; restart this node, its rows "
                                   "are then derived again");
    return;
  }
  ring_here(said.last_position);
}

void cluster::take_types(peer& from, wire::types&& said) {
  constexpr std::size_t max_types = 65'536;
  for (auto& each : said.all) {
    if (each.number >= max_types || each.kind > static_cast<std::uint8_t>(message_kind::rejection))
      continue;
    if (from.types.size() <= each.number)
      from.types.resize(each.number + std::size_t{1});
    auto& type = from.types[each.number];
    type = {};
    type.kind = static_cast<message_kind>(each.kind);
    type.holds_secret = each.holds_secret;
    type.written = std::make_shared<const schema>(std::move(each.schema));
    resolve(type, from.name);
    if (!type.problem.empty())
      runtime_.actors().log(log_level::warning, type.problem);
  }
}

void cluster::take_routes(peer& from, wire::routes&& said) {
  {
    std::lock_guard lock{from.looking};
    from.routes = std::make_shared<const wire::routes>(std::move(said));
    from.why = from.routes->stopping ? "it is stopping" : "it does not serve that";
  }
  rebuild_routing();
  on_keeper([this] { placed_.open_gates(); });
}

}  // namespace microlith::internal
