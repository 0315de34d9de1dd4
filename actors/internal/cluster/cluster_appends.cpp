// Appends to the journal of another node, and their outcomes.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/settling.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

// What another node is handling, as far as the writer here has to know it.
struct remote_command {
  using message = command<"microlith.remote_command">;
};
BOOST_DESCRIBE_STRUCT(remote_command, (), ())

struct remote_cause {
  using message = rejection<"microlith.remote_cause">;
};
BOOST_DESCRIBE_STRUCT(remote_cause, (), ())

enum class outcome_kind : std::uint8_t { appended, before, conflict, refused };
enum class check_rule : std::uint8_t { any, exists, exactly };

wire::check to_wire(const stream_check& check) {
  auto rule = check.expected == expected_version::any()             ? check_rule::any
              : check.expected == expected_version::stream_exists() ? check_rule::exists
                                                                    : check_rule::exactly;
  return {.stream = check.stream,
          .rule = static_cast<std::uint8_t>(rule),
          .version = check.expected.version(),
          .built_on = check.built_on};
}

stream_check from_wire(wire::check&& said) {
  auto expected = said.rule == static_cast<std::uint8_t>(check_rule::any) ? expected_version::any()
                  : said.rule == static_cast<std::uint8_t>(check_rule::exists)
                      ? expected_version::stream_exists()
                      : expected_version::exactly(said.version);
  return {.stream = std::move(said.stream), .expected = expected, .built_on = said.built_on};
}

void succeeded(runtime::actors_part& node, append_job& job, const appended& done,
               const std::vector<std::uint64_t>& stream_versions) {
  auto now = node.now();
  drop_what_built_on_a_refusal(node, job, now);
  auto position = done.first_position;
  for (std::size_t i = 0; i < job.request.events.size(); ++i) {
    auto& event = job.request.events[i].message;
    event.position = position++;
    event.stream_version = i < stream_versions.size() ? stream_versions[i] : 0;
    // The node that has the journal tells everybody else.
    node.talks->pass(event, now);
    node.others->pass_to_open_work(event);
  }
  for (const auto& rejection : job.rejections) {
    node.talks->pass(rejection, now);
    node.others->pass_to_open_work(rejection);
  }
  if (job.progress && done.last_position != 0)
    job.progress->position.store(done.last_position);
  for (auto& each : job.then_send)
    node.forward(each.bus, std::move(each.message));
  if (auto how = ends_well(job, done.last_position))
    node.finished(job.cause, *how);
}

}  // namespace

std::size_t cluster::appending() const {
  std::lock_guard lock{appends_mutex_};
  return appends_.size();
}

wire::append cluster::to_wire(const append_job& job, std::uint64_t ticket) {
  wire::append said;
  said.ticket = ticket;
  said.id = job.request.id;
  said.answers_command =
      job.ends_cause && !job.progress && job.cause.type().kind == message_kind::command;
  const auto* part = part_of(job.cause.type());
  if (job.report_to != nullptr) {
    if (const auto* by = placed_.find(job.report_to->component()))
      part = by;
  }
  if (!job.component.empty()) {
    said.component = job.component;
    said.epoch = job.epoch;
  } else if (part != nullptr) {
    said.component = part->name;
    said.epoch = part->epoch.load();
  }
  const auto& cause = job.cause.head();
  said.cause = cause.id;
  said.correlation = cause.correlation;
  said.root = cause.root;
  said.facts = facts_to_wire(cause);
  for (const auto& check : job.request.checks)
    said.checks.push_back(internal::to_wire(check));
  auto shares_facts = [&](const envelope& message) { return message.head().facts == cause.facts; };
  for (const auto& event : job.request.events)
    said.events.push_back({to_wire(event.message, !shares_facts(event.message)), event.stream});
  for (const auto& rejection : job.rejections)
    said.rejections.push_back(to_wire(rejection, !shares_facts(rejection)));
  return said;
}

void cluster::append(std::unique_ptr<append_job> given) {
  auto& job = *given;
  auto& node = runtime_.actors();
  if (job.progress && job.progress->ended()) {
    unsent(node, job, earlier_step_failed(job), node.now());
    return;
  }
  auto* to = find(journal_node_);
  auto ticket = last_ticket_.fetch_add(1, std::memory_order_relaxed) + 1;
  auto not_sent = [](failure_kind kind, std::string text) {
    return append_refused{
        {.kind = kind, .certainty = certainty::not_done, .text = std::move(text), .message = {}}};
  };
  bytes frame;
  std::optional<append_outcome> outcome;
  try {
    frame = wire::frame(wire::kind::append, to_wire(job, ticket));
  } catch (...) {
    outcome = not_sent(
        failure_kind::handler_failed,
        "what came of " + std::string{job.cause.type().name} + " cannot be sent to node " +
            to->name + ", which has the journal, encoding it failed: " + current_exception_text());
  }
  auto how = sent::overloaded;
  {
    // Sent under the lock: the outcomes come in the order of the frames, and so must the line be.
    std::lock_guard lock{appends_mutex_};
    appends_.push_back({.ticket = ticket,
                        .job = std::move(given),
                        .outcome = std::move(outcome),
                        .stream_versions = {}});
    auto& last = appends_.back();
    if (!last.outcome) {
      if (stopped_.load(std::memory_order_acquire))
        how = sent::unreachable;
      else if (frame.size() <= wire::max_frame_bytes)
        how = offer(*to, frame);
      if (how == sent::unreachable)
        last.outcome =
            not_sent(failure_kind::unreachable,
                     "node " + to->name + ", which has the journal, cannot be reached (" +
                         to->why_not() + "); try again when it is there");
      else if (how == sent::overloaded)
        last.outcome =
            not_sent(failure_kind::overloaded,
                     "the link to node " + to->name +
                         ", which has the journal, is full, or the events are more than it takes "
                         "at once; try again later");
    }
  }
  if (how != sent::taken)
    settle_appends();
}

// One thread at a time settles, from the front of the line for as long as outcomes are there.
void cluster::settle_appends() {
  std::unique_lock lock{appends_mutex_};
  if (settling_)
    return;
  settling_ = true;
  while (!appends_.empty() && appends_.front().outcome) {
    auto done = std::move(appends_.front());
    appends_.pop_front();
    lock.unlock();
    settle(std::move(done));
    lock.lock();
  }
  settling_ = false;
}

void cluster::settle(pending_append&& done) {
  auto& node = runtime_.actors();
  auto& job = *done.job;
  std::visit(
      overloaded{
          [&](const appended& to) { succeeded(node, job, to, done.stream_versions); },
          [&](const already_appended& before) { end_as_before(node, job, before, node.now()); },
          [&](const append_conflict& conflict) { end_badly(node, job, conflict, node.now()); },
          [&](const append_refused& refused) { end_badly(node, job, refused, node.now()); },
      },
      *done.outcome);
  if (job.report_to == nullptr)
    return;
  append_reports reports;
  reports.add(std::move(*done.outcome));
  job.report_to->report(std::move(reports));
}

void cluster::refuse_appends(const failure& why) {
  {
    std::lock_guard lock{appends_mutex_};
    for (auto& each : appends_) {
      if (!each.outcome)
        each.outcome = append_refused{why};
    }
  }
  settle_appends();
}

void cluster::take_outcome(wire::append_outcome&& said) {
  append_outcome outcome;
  switch (static_cast<outcome_kind>(said.kind)) {
    case outcome_kind::appended:
      outcome = appended{said.first_position, said.last_position};
      break;
    case outcome_kind::before:
      outcome = already_appended{said.first_position, said.last_position};
      break;
    case outcome_kind::conflict:
      outcome = append_conflict{std::move(said.stream), std::move(said.expected), said.actual};
      break;
    case outcome_kind::refused:
      outcome = append_refused{said.why ? failure_from_wire(std::move(*said.why)) : failure{}};
  }
  if (remote_journal_ != nullptr)
    remote_journal_->has_grown(said.last_position);
  {
    std::lock_guard lock{appends_mutex_};
    // Near the front: outcomes come in the order of the line.
    auto at = std::find_if(appends_.begin(), appends_.end(),
                           [&](const pending_append& each) { return each.ticket == said.ticket; });
    if (at == appends_.end() || at->outcome)
      return;
    at->outcome = std::move(outcome);
    at->stream_versions = std::move(said.stream_versions);
  }
  settle_appends();
}

void cluster::take_append(peer& from, wire::append&& said) {
  auto& node = runtime_.actors();
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  job.asked_by = std::make_unique<asker>(asker{from.name, said.ticket});
  auto refuse = [&](failure_kind kind, std::string text) {
    report(job, {},
           append_refused{{.kind = kind,
                           .certainty = certainty::not_done,
                           .text = std::move(text),
                           .message = said.cause}});
  };
  if (!has_journal() || node.closed.load(std::memory_order_acquire)) {
    refuse(has_journal() ? failure_kind::stopped : failure_kind::unreachable,
           "node " + setup_.node + (has_journal() ? " is stopping" : " does not have the journal") +
               ": it appends nothing");
    return;
  }
  if (auto at = said.component.empty() ? std::nullopt : place_of(said.component);
      at && (at->node != from.name || at->epoch != said.epoch)) {
    refuse(failure_kind::unreachable,
           "component " + said.component + " runs on node " + at->node + " by now: what node " +
               from.name + " does for it is not appended. Dispatch the command again");
    return;
  }
  // Events go to all that the command came by but the node that asks, which tells itself.
  auto asker = facts_from_wire(from, wire::facts{said.facts}, said.cause, 0);
  conversation_facts without_asker{*asker};
  without_asker.came_by = asker->came_by->before;
  auto facts = std::make_shared<const conversation_facts>(std::move(without_asker));
  envelope_head head{.id = said.cause,
                     .correlation = said.correlation,
                     .causation = {},
                     .root = said.root,
                     .facts = std::move(asker)};
  job.cause = said.answers_command ? envelope{std::move(head), remote_command{}}
                                   : envelope{std::move(head), remote_cause{}};
  job.ends_cause = said.answers_command;
  job.counts_failure = false;
  job.request.id = said.id;
  for (auto& check : said.checks)
    job.request.checks.push_back(internal::from_wire(std::move(check)));
  auto translate = [&](wire::envelope&& one, bool raw) {
    auto own = facts;
    if (one.facts) {
      conversation_facts given{*facts_from_wire(from, std::move(*one.facts), {}, 0)};
      given.came_by = given.came_by->before;
      own = std::make_shared<const conversation_facts>(std::move(given));
    }
    return from_wire(from, one, std::move(own), raw);
  };
  for (auto& event : said.events) {
    auto message = translate(std::move(event.envelope), true);
    if (!message) {
      refuse(failure_kind::handler_failed, message.error());
      return;
    }
    job.request.events.push_back({std::move(*message), std::move(event.stream)});
  }
  for (auto& rejection : said.rejections) {
    auto message = translate(std::move(rejection), true);
    if (!message) {
      refuse(failure_kind::handler_failed, message.error());
      return;
    }
    job.rejections.push_back(std::move(*message));
  }
  node.append(std::move(made));
}

void cluster::report(const append_job& job, const append_request& request,
                     const append_outcome& outcome) {
  auto* to = find(job.asked_by->node);
  if (to == nullptr)
    return;
  wire::append_outcome said;
  said.ticket = job.asked_by->ticket;
  std::visit(overloaded{
                 [&](const appended& done) {
                   said.kind = static_cast<std::uint8_t>(outcome_kind::appended);
                   said.first_position = done.first_position;
                   said.last_position = done.last_position;
                   for (const auto& event : request.events)
                     said.stream_versions.push_back(event.message.stream_version);
                 },
                 [&](const already_appended& before) {
                   said.kind = static_cast<std::uint8_t>(outcome_kind::before);
                   said.first_position = before.first_position;
                   said.last_position = before.last_position;
                 },
                 [&](const append_conflict& conflict) {
                   said.kind = static_cast<std::uint8_t>(outcome_kind::conflict);
                   said.stream = conflict.stream;
                   said.expected = conflict.expected;
                   said.actual = conflict.actual;
                 },
                 [&](const append_refused& refused) {
                   said.kind = static_cast<std::uint8_t>(outcome_kind::refused);
                   said.why = failure_to_wire(refused.why);
                 },
             },
             outcome);
  deliver(*to, wire::frame(wire::kind::append_outcome, said));
}

}  // namespace microlith::internal
