// Moves of components, as one node of a cluster hears of them and tells others: what is held
// meanwhile, where components run, what the mover asks for.

#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>
#include <microlith/actors/internal/hosted_components.hpp>

#include <algorithm>

namespace microlith::internal {

void cluster::on_keeper(std::function<void()> run) {
  if (keeper_)
    caf::anon_send(keeper_, task_message{std::move(run)});
}

void cluster::later(std::chrono::milliseconds delay, std::function<void()> run) {
  if (!keeper_ || stopped_.load())
    return;
  caf::anon_send(keeper_, arm_atom::value, std::int64_t{delay.count()},
                 task_message{[this, run = std::move(run)] {
                   if (!stopped_.load())
                     run();
                 }});
}

// What is held.

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

const placed_component* cluster::part_of(const message_type& type) const {
  auto at = setup_.served_by.find(type.name);
  return at == setup_.served_by.end() ? nullptr : placed_.find(at->second);
}

// Where components run.

bool cluster::hosts(std::string_view component) const {
  auto at = place_of(component);
  return at && at->node == setup_.node;
}

result<void, storage_error> cluster::read_places() {
  auto& node = runtime_.actors();
  auto read = placement_of(setup_.file, *node.journal,
                           [&](const std::string& text) { node.log(log_level::warning, text); });
  if (!read)
    return read.error();
  places_.replace(std::move(*read));
  return {};
}

wire::placement cluster::own_places() const {
  wire::placement said;
  for (const auto& [component, at] : places_.certain())
    said.all.push_back({component, at.node, at.epoch});
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
    places_.replace(std::move(told));
    rebuild_routing();
    placed_.places_changed(before, position);
  });
}

// What the components here ask for.

bool cluster::is_served(const std::string& component, const std::string& there) const {
  auto at = peers_.find(there);
  if (at == peers_.end() || !at->second->joined.load())
    return true;
  auto known = at->second->known_routes();
  return known && std::find(known->runs.begin(), known->runs.end(), component) != known->runs.end();
}

void cluster::report_step(wire::move_step said) {
  if (mover_)
    on_keeper([this, said = std::move(said)] { mover_->reported(setup_.node, said); });
  else
    deliver(*find(journal_node_), wire::frame(wire::kind::step_report, said));
}

void cluster::take_step(wire::move_step&& said) {
  on_keeper([this, said = std::move(said)] {
    if (!stopped_.load())
      placed_.take_step(said);
  });
}

// What the mover asks for.

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
    take_step(std::move(said));
  else if (auto* to = find(node); to != nullptr && to->joined.load())
    deliver(*to, wire::frame(wire::kind::step, said));
}

void cluster::write(const component_moved_event& moved,
                    std::function<void(std::optional<failure>)> done) {
  places_.is_changing(moved.component);
  auto then = [this, done = std::move(done)](const std::optional<failure>& why_not) {
    if (why_not) {
      places_.stays();
      // Who has joined meanwhile has not been told.
      tell_places();
    }
    done(why_not);
  };
  written_move_ = std::make_unique<written_move>(
      [this, then = std::move(then)](std::optional<failure> why_not) {
        on_keeper([then, why_not = std::move(why_not)] { then(why_not); });
      });
  written_move_->append(runtime_, moved);
}

void cluster::placed(const component_moved_event& moved) {
  auto& node = runtime_.actors();
  auto before = places();
  places_.has_moved(moved.component, {moved.to, moved.epoch});
  tell_places();
  node.log(log_level::info, "component " + moved.component + " has moved from node " + moved.from +
                                " to node " + moved.to);
  rebuild_routing();
  placed_.places_changed(before, node.journal->last_position());
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
