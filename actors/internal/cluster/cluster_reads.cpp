// The journal of one node as the others read it: pages, the bell, and the stores of durable
// subscriptions that lie beside it.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/cluster/remote_subscription.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

/// Reads of other nodes that wait for the reading thread.
constexpr std::size_t max_waiting_reads = 1'024;
/// Bytes of one page, where no single record is larger.
constexpr std::uint64_t max_answer_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t max_page_records = 4'096;

}  // namespace

void cluster::ring(std::uint64_t position) {
  for (const auto& [name, at] : peers_) {
    auto known = at->known_routes();
    if (!known || !known->wants_bell)
      continue;
    std::lock_guard lock{at->sending};
    bool free = flush(*at);
    if (free && push(*at, wire::frame(wire::kind::bell, wire::bell{position})) == sent::taken)
      continue;
    at->bell_due = true;
    if (!at->cut_off.load())
      retry_later();
  }
}

void cluster::ring_here(std::uint64_t position) {
  if (remote_journal_ == nullptr)
    return;
  remote_journal_->has_grown(position);
  runtime_.actors().ring_followers();
}

result<wire::page, storage_error> cluster::ask_journal(wire::read question) {
  auto& node = runtime_.actors();
  auto* to = find(journal_node_);
  auto unreachable = [&](const std::string& why) {
    return storage_error{storage_error_kind::unreachable,
                         "node " + journal_node_ + ", which has the journal, cannot be reached: " +
                             why + "; try again when it is there"};
  };
  if (!to->greeted.load() || to->cut_off.load() || stopped_.load())
    return unreachable(to->why_not());
  auto pending = std::make_shared<pending_read>();
  question.ticket = last_ticket_.fetch_add(1, std::memory_order_relaxed) + 1;
  {
    std::lock_guard lock{reads_mutex_};
    reads_.emplace(question.ticket, pending);
  }
  auto how = offer(*to, wire::frame(wire::kind::read, question));
  std::unique_lock lock{reads_mutex_};
  auto answered = [&] { return pending->answer.has_value(); };
  if (how == sent::taken) {
    if (node.steps && setup_.wiring) {
      while (!answered()) {
        lock.unlock();
        bool stepped = setup_.wiring->step_others(*node.steps);
        lock.lock();
        if (!stepped)
          break;
      }
    } else {
      read_ended_.wait_for(lock, journal_read_limit, answered);
    }
  }
  reads_.erase(question.ticket);
  if (answered())
    return std::move(*pending->answer);
  if (how == sent::taken)
    return unreachable("no answer within " + std::to_string(journal_read_limit.count()) + " s");
  return unreachable(how == sent::overloaded ? "its link is full" : to->why_not());
}

void cluster::fail_reads(const std::string& why) {
  std::lock_guard lock{reads_mutex_};
  for (auto& [ticket, pending] : reads_) {
    if (!pending->answer)
      pending->answer.emplace(
          storage_error{storage_error_kind::unreachable,
                        "cannot read the journal of node " + journal_node_ + ": " + why});
  }
  read_ended_.notify_all();
}

void cluster::take_page(wire::page&& said) {
  std::lock_guard lock{reads_mutex_};
  auto at = reads_.find(said.ticket);
  if (at == reads_.end() || at->second->answer)
    return;
  if (said.error)
    at->second->answer.emplace(
        storage_error{*said.error <= static_cast<std::uint8_t>(storage_error_kind::unreachable)
                          ? static_cast<storage_error_kind>(*said.error)
                          : storage_error_kind::io,
                      std::move(said.text), said.error_position});
  else
    at->second->answer.emplace(std::move(said));
  read_ended_.notify_all();
}

void cluster::take_read(peer& from, wire::read&& question) {
  bool too_many = reading_.fetch_add(1, std::memory_order_acq_rel) >= max_waiting_reads;
  if (!has_journal() || too_many || stopped_.load()) {
    reading_.fetch_sub(1, std::memory_order_acq_rel);
    wire::page said;
    said.ticket = question.ticket;
    said.error = static_cast<std::uint8_t>(storage_error_kind::unreachable);
    said.text = "node " + setup_.node +
                (too_many ? " has too many reads to answer; try again later"
                          : " does not have the journal");
    deliver(from, wire::frame(wire::kind::page, said));
    return;
  }
  // Reading may wait for the disk: not on the link's thread.
  caf::anon_send(reader_, task_message{[this, &from, question = std::move(question)] {
                   if (!stopped_.load())
                     answer_read(from, question);
                   reading_.fetch_sub(1, std::memory_order_acq_rel);
                 }});
}

void cluster::answer_read(peer& to, const wire::read& question) {
  const auto& journal = *runtime_.actors().journal;
  wire::page said;
  said.ticket = question.ticket;
  auto wrong = [&](const storage_error& error) {
    said.records.clear();
    said.error = static_cast<std::uint8_t>(error.kind);
    said.text = error.text;
    said.error_position = error.position;
  };
  auto collect = [&](const record_view& record) {
    said.records.push_back({record.position, bytes(record.stored.begin(), record.stored.end())});
    return true;
  };
  read_limits limits{.events = std::clamp<std::uint64_t>(question.events, 1, max_page_records),
                     .bytes = std::clamp<std::uint64_t>(question.bytes, 1, max_answer_bytes)};
  switch (question.what) {
    case wire::question::records:
    case wire::question::stream: {
      auto read = question.what == wire::question::records
                      ? journal.read(question.from, limits, collect)
                      : journal.read_stream(question.stream, question.from, limits, collect);
      if (!read) {
        wrong(read.error());
        break;
      }
      said.next = read->next;
      said.end = read->end;
      break;
    }
    case wire::question::stream_version: {
      auto version = journal.stream_version(question.stream);
      if (version)
        said.next = *version;
      else
        wrong(version.error());
      break;
    }
    case wire::question::append_of: {
      auto found = journal.append_of(question.id);
      if (!found)
        wrong(found.error());
      else if (*found)
        said.numbers = {(*found)->first, (*found)->last};
      break;
    }
    case wire::question::position_of: {
      auto found = journal.position_of(question.id);
      if (!found)
        wrong(found.error());
      else if (*found)
        said.numbers = {**found};
      break;
    }
    case wire::question::conversation: {
      auto found = journal.conversation(
          {question.id.high, question.id.low}, question.from,
          static_cast<std::size_t>(std::min<std::uint64_t>(question.events, max_page_records)));
      if (found)
        said.numbers = std::move(*found);
      else
        wrong(found.error());
      break;
    }
    case wire::question::store: {
      if (!question.store)
        break;
      auto answer = answer_store(to, *question.store);
      if (answer)
        said.store = std::move(*answer);
      else
        wrong(answer.error());
      break;
    }
    case wire::question::types:
      for (auto& type : journal.types()) {
        said.numbers.push_back(type.id);
        said.schemas.push_back(std::move(type.schema));
      }
      break;
  }
  deliver(to, wire::frame(wire::kind::page, said));
}

result<wire::store_answer, storage_error> cluster::answer_store(const peer& to,
                                                                const wire::store_call& call) {
  auto refuse = [&](const std::string& why) {
    return storage_error{storage_error_kind::unusable,
                         "durable subscription " + call.subscription + " of " + call.component +
                             " is not kept for node " + to.name + ": " + why};
  };
  auto at = place_of(call.component);
  if (!at || at->node != to.name || at->epoch != call.epoch)
    return refuse(at ? "the component runs on node " + at->node + " by now"
                     : "the cluster file here has no such component");
  auto& node = runtime_.actors();
  if (node.options.data.empty())
    return refuse("node " + setup_.node + " has no data directory");
  std::lock_guard lock{stores_mutex_};
  if (node.durables.get()->contains(call.subscription))
    return refuse("a component of node " + setup_.node + " has one of the same name");
  auto& store = stores_[call.subscription];
  if (!store) {
    auto opened =
        subscription_store::open(call.subscription,
                                 {.directory = node.options.data,
                                  .start = call.start == 0 ? subscription_start::first_event
                                                           : subscription_start::next_event,
                                  .map_limit_bytes = node.options.journal_map_bytes},
                                 *node.journal);
    if (!opened)
      return opened.error();
    store = std::move(*opened);
  }
  return answer_of(*store, call);
}

void cluster::close_store(const std::string& subscription) {
  std::lock_guard lock{stores_mutex_};
  stores_.erase(subscription);
}

void cluster::close_stores() {
  std::lock_guard lock{stores_mutex_};
  stores_.clear();
}

result<std::unique_ptr<subscription_store>, storage_error> cluster::open_store(
    const durable_subscription& definition, const std::string& component) {
  return remote_subscription::open(definition.name(), definition.options().start, *this,
                                   {component, epoch_of(component)});
}

}  // namespace microlith::internal
