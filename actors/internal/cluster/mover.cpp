#include <microlith/actors/internal/cluster/mover.hpp>

#include <algorithm>
#include <utility>

namespace microlith::internal {

namespace {

template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::optional<std::string> mover::objection(const std::string& component,
                                            const std::string& to) const {
  if (component == journal_component)
    return "the journal stays where it is: it is a file on the disk of its node. Stop the nodes, "
           "copy its data directory, and change the cluster file";
  auto places = node_.places();
  auto at = places.find(component);
  if (at == places.end()) {
    std::vector<std::string> names;
    for (const auto& [name, place] : places) {
      if (name != journal_component)
        names.push_back(name);
    }
    return "there is no component '" + component + "'; there is: " + listed(names);
  }
  if (!file_.nodes.contains(to)) {
    std::vector<std::string> names;
    for (const auto& [name, node] : file_.nodes)
      names.push_back(name);
    return "the cluster file has no node '" + to + "'; it has: " + listed(names);
  }
  if (!node_.movable(component))
    return "nothing of " + component + " is begun by a node: its program does what it does where " +
           "the cluster file places it. Change the file, and start both nodes again";
  auto there = node_.nodes_there();
  for (const auto& name : {to, at->second.node}) {
    if (std::find(there.begin(), there.end(), name) == there.end())
      return "node " + name + " is not there: start it, then move " + component;
  }
  if (move_)
    return "component " + move_->component + " is moving to node " + move_->to +
           "; try again when that is done";
  return std::nullopt;
}

void mover::begin(const std::string& component, const std::string& to, reply tell) {
  if (auto why_not = objection(component, to))
    return tell(std::move(why_not));
  auto at = node_.places().at(component);
  if (at.node == to)
    return tell(std::nullopt);
  move_.emplace();
  move_->component = component;
  move_->from = at.node;
  move_->to = to;
  move_->number = ++last_number_;
  move_->epoch = at.epoch;
  move_->tell = std::move(tell);
  move_->awaited = {to};
  node_.tell(to, step(wire::step::prepare));
}

wire::move_step mover::step(wire::step what) const {
  return {.move = move_->number,
          .what = static_cast<std::uint8_t>(what),
          .component = move_->component,
          .why = {}};
}

void mover::reported(const std::string& node, const wire::move_step& said) {
  if (!move_ || move_->number != said.move)
    return;
  auto what = static_cast<wire::step>(said.what);
  if (what == wire::step::refused)
    return give_up("node " + node + " cannot take part: " + said.why);
  bool expected = (move_->phase == wire::step::prepare && what == wire::step::prepared) ||
                  (move_->phase == wire::step::hold && what == wire::step::held) ||
                  (move_->phase == wire::step::leave && what == wire::step::left);
  if (!expected || move_->awaited.erase(node) == 0 || !move_->awaited.empty())
    return;
  if (what == wire::step::prepared)
    hold();
  else if (what == wire::step::held)
    leave();
  else
    write();
}

void mover::hold() {
  move_->phase = wire::step::hold;
  auto there = node_.nodes_there();
  move_->awaited = {there.begin(), there.end()};
  limit_step();
  for (const auto& each : there)
    node_.tell(each, step(wire::step::hold));
}

void mover::leave() {
  move_->phase = wire::step::leave;
  move_->awaited = {move_->from};
  limit_step();
  node_.tell(move_->from, step(wire::step::leave));
}

void mover::write() {
  move_->phase = wire::step::write;
  component_moved_event moved{move_->component, move_->from, move_->to, move_->epoch + 1};
  node_.write(moved, [this, moved, number = move_->number](std::optional<failure> why) {
    if (!move_ || move_->number != number)
      return;
    if (why)
      return give_up("the journal did not take it: " + to_string(*why));
    node_.placed(moved);
    end(std::nullopt);
  });
}

void mover::limit_step() {
  node_.later(move_step_limit, [this, number = move_->number, phase = move_->phase] {
    if (!move_ || move_->number != number || move_->phase != phase)
      return;
    give_up("within " + std::to_string(move_step_limit.count()) + " ms not everything that was " +
            "sent to it has ended (on node " + listed(move_->awaited) +
            "). All is as it was; try again when less is going on");
  });
}

void mover::lost(const std::string& node) {
  if (!move_ || move_->phase == wire::step::write)
    return;
  if (node == move_->to || node == move_->from)
    return give_up("node " + node + " has been lost meanwhile");
  // What it had sent is lost with it.
  if (move_->phase == wire::step::hold && move_->awaited.erase(node) != 0 && move_->awaited.empty())
    leave();
}

void mover::give_up(const std::string& why) {
  // Those that are cut off for the moment hold, too, or will when they are back.
  for (const auto& [name, each] : file_.nodes)
    node_.tell(name, step(wire::step::resume));
  end(why);
}

void mover::end(std::optional<std::string> why_not) {
  auto tell = std::move(move_->tell);
  move_.reset();
  tell(std::move(why_not));
}

std::string mover::now() const {
  if (!move_)
    return {};
  auto doing = move_->phase == wire::step::prepare ? "is catching up there"
               : move_->phase == wire::step::hold  ? "waits for what was sent to it"
                                                   : "is changing places";
  return move_->component + " moves from node " + move_->from + " to node " + move_->to + ": it " +
         doing;
}

}  // namespace microlith::internal
