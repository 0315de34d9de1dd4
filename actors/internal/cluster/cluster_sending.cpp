// What leaves: whole frames or fragments, at once or when the link takes it.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

namespace microlith::internal {

// Under `sending`. A frame that has begun to leave is taken: its rest waits if it must.
sent cluster::push(peer& to, const bytes& frame) {
  if (frame.size() <= wire::max_piece_bytes)
    return links_->send(to.name, frame);
  std::span<const std::byte> left{frame};
  bool begun = false;
  while (!left.empty()) {
    auto size = std::min(left.size(), wire::max_piece_bytes - 1);
    bytes piece;
    piece.reserve(size + 1);
    piece.push_back(static_cast<std::byte>(size == left.size() ? wire::kind::last_fragment
                                                               : wire::kind::fragment));
    piece.insert(piece.end(), left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size));
    left = left.subspan(size);
    if (!to.backlog.empty()) {
      keep(to, std::move(piece));
      continue;
    }
    auto how = links_->send(to.name, piece);
    if (how != sent::taken) {
      if (!begun)
        return how;
      keep(to, std::move(piece));
    }
    begun = true;
  }
  return sent::taken;
}

void cluster::keep(peer& to, bytes&& frame) {
  to.backlog_bytes += frame.size();
  to.backlog.push_back(std::move(frame));
  retry_later();
}

// Under `sending`. False: something is left.
bool cluster::flush(peer& to) {
  while (!to.backlog.empty()) {
    auto next = std::move(to.backlog.front());
    to.backlog.pop_front();
    to.backlog_bytes -= next.size();
    // As if alone: what a fragmented frame leaves behind goes before what waits.
    std::deque<bytes> behind;
    std::swap(behind, to.backlog);
    auto how = push(to, next);
    if (how != sent::taken) {
      to.backlog_bytes += next.size();
      behind.push_front(std::move(next));
    }
    for (auto& each : behind)
      to.backlog.push_back(std::move(each));
    if (how != sent::taken)
      return false;
  }
  if (to.bell_due) {
    wire::bell said{.position = runtime_.actors().journal->last_position()};
    to.bell_due = links_->send(to.name, wire::frame(wire::kind::bell, said)) != sent::taken;
  }
  return !to.bell_due;
}

sent cluster::offer(peer& to, const bytes& frame) {
  std::lock_guard lock{to.sending};
  if (!to.joined.load())
    return sent::unreachable;
  send_published(to);
  if (!to.backlog.empty() && !flush(to))
    return to.cut_off.load() ? sent::unreachable : sent::overloaded;
  return push(to, frame);
}

void cluster::deliver(peer& to, const bytes& frame) {
  std::lock_guard lock{to.sending};
  if (!to.joined.load())
    return;
  send_published(to);
  send_or_keep(to, frame, 1);
}

// Under `sending`.
void cluster::send_published(peer& to) {
  if (to.published.empty())
    return;
  send_or_keep(to, to.published.frame(), to.published.events());
  to.published.clear();
}

void cluster::send_or_keep(peer& to, const bytes& frame, std::size_t messages) {
  if (flush(to) && push(to, frame) == sent::taken)
    return;
  if (to.backlog_bytes + frame.size() > max_backlog_bytes) {
    runtime_.actors().counters.dropped_for_nodes.fetch_add(messages, std::memory_order_relaxed);
    return;
  }
  keep(to, bytes{frame});
}

void cluster::retry_later() {
  if (!keeper_ || retrying_.exchange(true))
    return;
  caf::anon_send(keeper_, arm_atom::value, std::int64_t{backlog_retry.count()},
                 task_message{[this] {
                   retrying_.store(false);
                   if (stopped_.load())
                     return;
                   bool again = false;
                   for (const auto* all : {&peers_, &operators_}) {
                     for (const auto& [name, at] : *all) {
                       std::lock_guard lock{at->sending};
                       // One that is cut off is tried when it is back.
                       if (at->joined.load() && !at->cut_off.load() && !flush(*at))
                         again = true;
                     }
                   }
                   if (again)
                     retry_later();
                 }});
}

}  // namespace microlith::internal
