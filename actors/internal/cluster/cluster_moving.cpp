// Where components run: what the node that has the journal says of it, what this one does about it,
// and what is held meanwhile.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/hosted_components.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

/// Before it is looked again whether something has ended or caught up.
constexpr std::chrono::milliseconds look_again{2};
/// Before a component that could not begin is begun again.
constexpr std::chrono::milliseconds begin_again{1'000};

}  // namespace

/// The writer's word on the event of a move.
class cluster::written_move final : public report_target {
 public:
  written_move(cluster& at, std::function<void(std::optional<failure>)> done)
      : at_{at}, done_{std::move(done)} {}

  void report(append_reports&& reports) override {
    std::optional<failure> why;
    if (!reports.reports.empty() && reports.reports.front().then) {
      const auto& outcome = *reports.reports.front().then;
      if (const auto* refused = std::get_if<append_refused>(&outcome))
        why = refused->why;
      else if (const auto* conflict = std::get_if<append_conflict>(&outcome))
        why = failure{.kind = failure_kind::conflict,
                      .certainty = certainty::not_done,
                      .text = to_string(*conflict),
                      .message = {}};
    }
    at_.on_keeper([done = done_, why = std::move(why)] { done(why); });
  }

 private:
  cluster& at_;
  std::function<void(std::optional<failure>)> done_;
};

void cluster::on_keeper(std::function<void()> run) {
  if (keeper_)
    caf::anon_send(keeper_, task_message{std::move(run)});
}

void cluster::later(std::chrono::milliseconds delay, std::function<void()> run) {
  if (keeper_ && !stopped_.load())
    caf::anon_send(keeper_, arm_atom::value, std::int64_t{delay.count()},
                   task_message{std::move(run)});
}

std::optional<place> cluster::place_of(std::string_view component) const {
  std::lock_guard lock{places_mutex_};
  auto at = places_.find(component);
  return at == places_.end() ? std::nullopt : std::optional{at->second};
}

placement_table cluster::places() const {
  std::lock_guard lock{places_mutex_};
  return places_;
}

bool cluster::hosts(std::string_view component) const {
  auto at = place_of(component);
  return at && at->node == setup_.node;
}

std::uint64_t cluster::epoch_of(std::string_view component) const {
  auto part = parts_.find(component);
  return part == parts_.end() ? 0 : part->second->epoch.load();
}

std::vector<std::string> cluster::placed_on(std::string_view node) const {
  std::vector<std::string> names;
  std::lock_guard lock{places_mutex_};
  for (const auto& [component, at] : places_) {
    if (at.node == node)
      names.push_back(component);
  }
  return names;
}

std::vector<std::string> cluster::waiting() const {
  std::vector<std::string> names;
  for (const auto& [name, part] : parts_) {
    if (hosts(name) && !hosted_->runs(name))
      names.push_back(name);
  }
  return names;
}

bool cluster::enters(envelope& message, bool served_here) {
  auto at = gates_.find(&message.type());
  if (at == gates_.end())
    return true;
  auto& gate = *at->second;
  if (!gate.holds())
    return gate.enters(message, false);
  // What handlers here caused, and what other nodes let pass.
  bool from_within =
      served_here ? message.head().depth != 0 || came_over_a_link(message) : comes_back(message);
  return gate.enters(message, from_within);
}

// Whether a message to a component of another node descends from something that node has sent: the
// component may be waiting for what comes of it.
bool cluster::comes_back(const envelope& message) {
  const auto* part = part_of(message.type());
  auto at = part == nullptr ? std::nullopt : place_of(part->name);
  const auto* to = server_of(message.type());
  if (!at || to == nullptr || to->name != at->node)
    return false;
  const auto* by = facts_of(message.head()).came_by.get();
  while (by != nullptr && by->node != at->node)
    by = by->before.get();
  return by != nullptr;
}

void cluster::passed_by(const envelope& message) {
  if (auto at = gates_.find(&message.type()); at != gates_.end())
    at->second->pass();
}

void cluster::has_ended(const envelope& message) {
  if (auto at = gates_.find(&message.type()); at != gates_.end())
    at->second->ended();
}

const cluster::component_part* cluster::part_of(const message_type& type) const {
  auto at = setup_.served_by.find(type.name);
  if (at == setup_.served_by.end())
    return nullptr;
  auto part = parts_.find(at->second);
  return part == parts_.end() ? nullptr : part->second.get();
}

result<void, storage_error> cluster::read_places() {
  auto& node = runtime_.actors();
  auto read = placement_of(setup_.file, *node.journal,
                           [&](const std::string& text) { node.log(log_level::warning, text); });
  if (!read)
    return read.error();
  std::lock_guard lock{places_mutex_};
  places_ = std::move(*read);
  return {};
}

result<void, failure> cluster::begin_here() {
  placed_at_ = runtime_.actors().journal->last_position();
  for (const auto& [name, part] : parts_) {
    auto at = place_of(name);
    if (!at || at->node != setup_.node)
      continue;
    if (auto began = begin(*part, at->epoch); !began)
      return began.error();
  }
  return {};
}

// Once its rows hold what was seen of them where it was; false: not yet. One that has never moved
// has them here.
result<bool, failure> cluster::begin(component_part& part, std::uint64_t epoch) {
  part.epoch.store(epoch);
  if (auto ready = hosted_->prepare(part.name); !ready)
    return ready.error();
  if (epoch != 0 && !hosted_->has_reached(part.name, placed_at_))
    return false;
  if (auto began = hosted_->begin(part.name); !began)
    return began.error();
  return true;
}

wire::placement cluster::own_places() const {
  wire::placement said;
  {
    std::lock_guard lock{places_mutex_};
    for (const auto& [component, at] : places_) {
      if (component != changing_place_)
        said.all.push_back({component, at.node, at.epoch});
    }
  }
  said.position = runtime_.actors().journal->last_position();
  return said;
}

void cluster::tell_places() {
  // Exclusive, so that what is said last is what holds.
  std::unique_lock types{types_mutex_};
  auto said = wire::frame(wire::kind::placement, own_places());
  for (const auto& [name, at] : peers_) {
    if (at->joined.load())
      deliver(*at, said);
  }
}

void cluster::take_placement(wire::placement&& said) {
  placement_table told;
  for (auto& each : said.all) {
    if (setup_.file.nodes.contains(each.node))
      told[each.component] = {each.node, each.epoch};
  }
  ring_here(said.position);
  on_keeper([this, told = std::move(told), position = said.position]() mutable {
    auto before = places();
    {
      std::lock_guard lock{places_mutex_};
      places_ = std::move(told);
    }
    placed_at_ = position;
    for (const auto& [name, part] : parts_) {
      auto was = before.find(name);
      if (was == before.end() || place_of(name) != was->second)
        opens(*part);
    }
    rebuild_routing();
    settle_places();
  });
}

// Begins what has its place here and ends what has not. The keeper's.
void cluster::settle_places() {
  auto& node = runtime_.actors();
  if (stopping_.load() || node.closed.load())
    return;
  bool rows_are_behind = false;
  for (const auto& [name, part] : parts_) {
    auto at = place_of(name);
    bool here = at && at->node == setup_.node;
    if (ending_.contains(name))
      continue;
    if (here && !hosted_->runs(name)) {
      auto began = begin(*part, at->epoch);
      if (began) {
        part->trouble.clear();
        if (*began)
          routes_changed();
        else
          rows_are_behind = true;
        continue;
      }
      if (part->trouble != began.error().text) {
        part->trouble = began.error().text;
        node.log(log_level::error, "component " + name + " cannot start: " + part->trouble);
      }
      end_here(name, [this] { later(begin_again, [this] { settle_places(); }); });
    } else if (!here && hosted_->is_there(name) && name != preparing_) {
      end_here(name, [this] { settle_places(); });
    }
  }
  if (rows_are_behind && !std::exchange(looks_at_rows_, true))
    later(look_again, [this] {
      looks_at_rows_ = false;
      settle_places();
    });
  open_gates();
}

// Until it has ended it cannot begin again; `then` looks whether it is to.
void cluster::end_here(const std::string& name, std::function<void()> then) {
  ending_.insert(name);
  if (!hosted_->has_ended(name)) {
    later(look_again, [this, name, then = std::move(then)] { end_here(name, then); });
    return;
  }
  ending_.erase(name);
  routes_changed();
  then();
}

// A gate opens once the component is served where it has its place, or cannot be for the moment.
void cluster::opens(component_part& part) {
  if (!part.commands.holds() && !part.queries.holds())
    return;
  part.opens = true;
  part.step = 0;
  later(move_step_limit, [this, &part, number = ++part.openings] {
    part.overdue = part.opens && part.openings == number;
    open_gates();
  });
}

void cluster::open_gates() {
  auto& node = runtime_.actors();
  for (const auto& [name, part] : parts_) {
    if (!part->opens)
      continue;
    auto at = place_of(name);
    bool is_served = part->overdue;
    if (at && at->node == setup_.node) {
      is_served = is_served || hosted_->runs(name);
    } else if (at) {
      const auto* there = find(at->node);
      auto known = there != nullptr ? there->known_routes() : nullptr;
      is_served =
          is_served || there == nullptr || !there->joined.load() ||
          (known && std::find(known->runs.begin(), known->runs.end(), name) != known->runs.end());
    }
    if (!is_served)
      continue;
    part->opens = false;
    part->overdue = false;
    caf::anon_send(node.bus(bus_kind::command).actor, release_message{&part->commands});
    caf::anon_send(node.bus(bus_kind::query).actor, release_message{&part->queries});
  }
}

void cluster::report_step(std::uint64_t move, const std::string& component, wire::step what,
                          std::string why) {
  wire::move_step said{.move = move,
                       .what = static_cast<std::uint8_t>(what),
                       .component = component,
                       .why = std::move(why)};
  if (mover_)
    on_keeper([this, said = std::move(said)] { mover_->reported(setup_.node, said); });
  else
    deliver(*find(journal_node_), wire::frame(wire::kind::step_report, said));
}

void cluster::take_step(const wire::move_step& said) {
  auto& node = runtime_.actors();
  auto part = parts_.find(said.component);
  auto what = static_cast<wire::step>(said.what);
  auto move = said.move;
  const auto& name = said.component;
  if (part == parts_.end()) {
    if (what == wire::step::hold)
      report_step(move, name, wire::step::held, {});
    else if (what != wire::step::resume)
      report_step(move, name, wire::step::refused,
                  "its program has no component " + name + "; run one there that has it");
    return;
  }
  auto& at = *part->second;
  at.step = move;
  switch (what) {
    case wire::step::prepare: {
      preparing_ = name;
      auto ready = ending_.contains(name)
                       ? result<void, failure>{failure{.kind = failure_kind::overloaded,
                                                       .certainty = certainty::not_done,
                                                       .text = name + " is still ending there",
                                                       .message = {}}}
                       : hosted_->prepare(name);
      if (!ready) {
        report_step(move, name, wire::step::refused, ready.error().text);
        preparing_.clear();
        if (hosted_->is_there(name) && !ending_.contains(name))
          end_here(name, [this] { settle_places(); });
        return;
      }
      await(
          at, move,
          [this, name, position = node.journal->last_position()] {
            return hosted_->has_reached(name, position);
          },
          [this, name, move] { report_step(move, name, wire::step::prepared, {}); });
      return;
    }
    case wire::step::hold:
      at.opens = false;
      at.commands.hold();
      at.queries.hold();
      if (hosted_->runs(name)) {
        // The others hold first: what they have sent is to end here.
        report_step(move, name, wire::step::held, {});
        return;
      }
      await(
          at, move, [&at] { return at.commands.is_drained() && at.queries.is_drained(); },
          [this, name, move] { report_step(move, name, wire::step::held, {}); });
      return;
    case wire::step::leave:
      hosted_->pause(name);
      await(
          at, move,
          [this, &at, name] {
            bool commands = at.commands.closes();
            return at.queries.closes() && commands && hosted_->delivers_nothing(name);
          },
          [this, name, move] {
            end_here(name, [this, name, move] {
              report_step(move, name, wire::step::left, {});
              // It may have been called back meanwhile.
              if (parts_.at(name)->step == 0)
                settle_places();
            });
          });
      return;
    case wire::step::resume:
      preparing_.clear();
      opens(at);
      at.step = 0;
      settle_places();
      return;
    default:
      return;
  }
}

// Looks until it is so, unless the move is over.
void cluster::await(component_part& part, std::uint64_t move, std::function<bool()> is_so,
                    std::function<void()> then) {
  if (part.step != move || stopped_.load())
    return;
  if (is_so())
    return then();
  later(look_again, [this, &part, move, is_so = std::move(is_so), then = std::move(then)] {
    await(part, move, is_so, then);
  });
}

// What the mover asks for, on the keeper.

std::vector<std::string> cluster::nodes_there() const {
  std::vector<std::string> names{setup_.node};
  for (const auto& [name, at] : peers_) {
    if (at->joined.load() && at->greeted.load() && !at->cut_off.load())
      names.push_back(name);
  }
  return names;
}

bool cluster::movable(const std::string& component) const {
  return hosted_->movable(component);
}

void cluster::tell(const std::string& node, wire::move_step said) {
  if (node == setup_.node)
    on_keeper([this, said = std::move(said)] { take_step(said); });
  else if (auto* to = find(node); to != nullptr && to->joined.load())
    deliver(*to, wire::frame(wire::kind::step, said));
}

void cluster::write(const component_moved_event& moved,
                    std::function<void(std::optional<failure>)> done) {
  auto& node = runtime_.actors();
  {
    std::lock_guard lock{places_mutex_};
    changing_place_ = moved.component;
  }
  written_move_ =
      std::make_unique<written_move>(*this, [this, done = std::move(done)](const auto& why) {
        if (why) {
          {
            std::lock_guard lock{places_mutex_};
            changing_place_.clear();
          }
          // Who has joined meanwhile has not been told.
          tell_places();
        }
        done(why);
      });
  envelope_head head{.id = message_id::make(),
                     .correlation = correlation_id::make(),
                     .causation = {},
                     .root = {},
                     .time = node.wall_now(),
                     .facts = node.own_facts};
  envelope event{std::move(head), moved};
  auto made = std::make_unique<append_job>();
  auto& job = *made;
  job.cause = event;
  job.counts_failure = false;
  job.report_to = written_move_.get();
  auto stream = placement_stream(moved.component);
  job.request.id = event.head().id;
  job.request.checks.push_back(
      {.stream = stream, .expected = expected_version::exactly(moved.epoch - 1), .built_on = {}});
  job.request.events.push_back({std::move(event), std::move(stream)});
  node.append(std::move(made));
}

void cluster::placed(const component_moved_event& moved) {
  {
    std::lock_guard lock{places_mutex_};
    places_[moved.component] = {moved.to, moved.epoch};
    changing_place_.clear();
  }
  tell_places();
  runtime_.actors().log(log_level::info, "component " + moved.component + " has moved from node " +
                                             moved.from + " to node " + moved.to);
  preparing_.clear();
  placed_at_ = runtime_.actors().journal->last_position();
  if (auto part = parts_.find(moved.component); part != parts_.end())
    opens(*part->second);
  rebuild_routing();
  settle_places();
}

// The tool.

void cluster::take_operator_question(peer& from, wire::operator_question&& said) {
  on_keeper([this, &from, said = std::move(said)] {
    auto answer = [this, &from, ticket = said.ticket](std::optional<std::string> why_not) {
      wire::operator_answer told;
      told.ticket = ticket;
      told.refused = std::move(why_not);
      if (!told.refused)
        told.status = describe_();
      deliver(from, wire::frame(wire::kind::operator_answer, told));
    };
    if (said.component.empty())
      answer(std::nullopt);
    else if (!mover_)
      answer("node " + setup_.node + " does not have the journal: ask node " + journal_node_);
    else
      mover_->begin(said.component, said.to, answer);
  });
}

}  // namespace microlith::internal
