#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/mover.hpp>
#include <microlith/actors/internal/cluster/placed_components.hpp>
#include <microlith/actors/internal/hosted_components.hpp>

namespace microlith::internal {

namespace {

/// Before it is looked again whether something has ended or caught up.
constexpr std::chrono::milliseconds look_again{2};
/// Before a component that could not begin is begun again.
constexpr std::chrono::milliseconds begin_again{1'000};

}  // namespace

placed_components::placed_components(placed_actions& actions, runtime& node, std::string node_name,
                                     const std::vector<std::string>& names,
                                     const known_places& places, hosted_components& hosted)
    : actions_{actions},
      runtime_{node},
      node_{std::move(node_name)},
      places_{places},
      hosted_{hosted} {
  for (const auto& name : names)
    all_.emplace(name, std::make_unique<placed_component>(name));
}

placed_component* placed_components::find(std::string_view name) const {
  auto at = all_.find(name);
  return at == all_.end() ? nullptr : at->second.get();
}

std::uint64_t placed_components::epoch_of(std::string_view name) const {
  const auto* at = find(name);
  return at == nullptr ? 0 : at->epoch.load();
}

bool placed_components::is_here(std::string_view name) const {
  auto at = places_.of(name);
  return at && at->node == node_;
}

std::vector<std::string> placed_components::waiting() const {
  std::vector<std::string> names;
  for (const auto& [name, at] : all_) {
    if (is_here(name) && !hosted_.runs(name))
      names.push_back(name);
  }
  return names;
}

std::size_t placed_components::held() const {
  std::size_t messages = 0;
  for (const auto& [name, at] : all_)
    messages += at->commands.held() + at->queries.held();
  return messages;
}

result<void, failure> placed_components::begin_all() {
  placed_at_ = runtime_.actors().journal->last_position();
  for (const auto& [name, each] : all_) {
    auto at = places_.of(name);
    if (!at || at->node != node_)
      continue;
    if (auto began = begin(*each, at->epoch); !began)
      return began.error();
  }
  return {};
}

// Once its rows hold what was seen of them where it was; false: not yet. One that has never moved
// has them here.
result<bool, failure> placed_components::begin(placed_component& at, std::uint64_t epoch) {
  at.epoch.store(epoch);
  if (auto ready = hosted_.prepare(at.name); !ready)
    return ready.error();
  if (epoch != 0 && !hosted_.has_reached(at.name, placed_at_))
    return false;
  if (auto began = hosted_.begin(at.name); !began)
    return began.error();
  return true;
}

// Until it has ended it cannot begin again; `then` looks whether it is to.
void placed_components::end(const std::string& name, std::function<void()> then) {
  ending_.insert(name);
  if (!hosted_.has_ended(name)) {
    actions_.later(look_again, [this, name, then = std::move(then)] { end(name, then); });
    return;
  }
  ending_.erase(name);
  actions_.routes_changed();
  then();
}

void placed_components::places_changed(const placement_table& before, std::uint64_t position) {
  placed_at_ = position;
  for (const auto& [name, each] : all_) {
    auto was = before.find(name);
    if (was == before.end() || places_.of(name) != was->second)
      open_when_served(*each);
  }
  if (is_here(preparing_))
    preparing_.clear();
  settle();
}

void placed_components::settle() {
  auto& node = runtime_.actors();
  if (node.closed.load())
    return;
  bool rows_are_behind = false;
  for (const auto& [name, each] : all_) {
    auto at = places_.of(name);
    bool here = at && at->node == node_;
    if (ending_.contains(name))
      continue;
    if (here && !hosted_.runs(name)) {
      auto began = begin(*each, at->epoch);
      if (began) {
        each->trouble.clear();
        if (*began)
          actions_.routes_changed();
        else
          rows_are_behind = true;
        continue;
      }
      if (each->trouble != began.error().text) {
        each->trouble = began.error().text;
        node.log(log_level::error, "component " + name + " cannot start: " + each->trouble);
      }
      end(name, [this] { actions_.later(begin_again, [this] { settle(); }); });
    } else if (!here && hosted_.is_there(name) && name != preparing_) {
      end(name, [this] { settle(); });
    }
  }
  if (rows_are_behind && !std::exchange(looks_at_rows_, true))
    actions_.later(look_again, [this] {
      looks_at_rows_ = false;
      settle();
    });
  open_gates();
}

void placed_components::lost_mover() {
  preparing_.clear();
  for (const auto& [name, each] : all_)
    open_when_served(*each);
}

void placed_components::open_when_served(placed_component& at) {
  if (!at.commands.holds() && !at.queries.holds())
    return;
  at.opens = true;
  at.move = 0;
  actions_.later(move_step_limit, [this, &at, number = ++at.openings] {
    if (at.opens && at.openings == number)
      open(at);
    open_gates();
  });
}

void placed_components::open_gates() {
  for (const auto& [name, each] : all_) {
    if (!each->opens)
      continue;
    auto at = places_.of(name);
    if (at && (at->node == node_ ? hosted_.runs(name) : actions_.is_served(name, at->node)))
      open(*each);
  }
}

void placed_components::open(placed_component& at) {
  auto& node = runtime_.actors();
  at.opens = false;
  caf::anon_send(node.bus(bus_kind::command).actor, release_message{&at.commands});
  caf::anon_send(node.bus(bus_kind::query).actor, release_message{&at.queries});
}

void placed_components::take_step(const wire::move_step& said) {
  auto what = static_cast<wire::step>(said.what);
  auto* at = find(said.component);
  if (at == nullptr) {
    if (what == wire::step::hold)
      report(said.move, said.component, wire::step::held);
    else if (what != wire::step::resume)
      report(said.move, said.component, wire::step::refused,
             "its program has no component " + said.component + "; run one there that has it");
    return;
  }
  at->move = said.move;
  switch (what) {
    case wire::step::prepare:
      return prepare(*at);
    case wire::step::hold:
      return hold(*at);
    case wire::step::leave:
      return leave(*at);
    case wire::step::resume:
      return resume(*at);
    default:
      return;
  }
}

void placed_components::prepare(placed_component& at) {
  const auto& name = at.name;
  preparing_ = name;
  auto ready = ending_.contains(name)
                   ? result<void, failure>{failure{.kind = failure_kind::overloaded,
                                                   .certainty = certainty::not_done,
                                                   .text = name + " is still ending there",
                                                   .message = {}}}
                   : hosted_.prepare(name);
  if (!ready) {
    report(at.move, name, wire::step::refused, ready.error().text);
    preparing_.clear();
    if (hosted_.is_there(name) && !ending_.contains(name))
      end(name, [this] { settle(); });
    return;
  }
  await(
      at, at.move,
      [this, &at, position = runtime_.actors().journal->last_position()] {
        return hosted_.has_reached(at.name, position);
      },
      [this, &at, move = at.move] { report(move, at.name, wire::step::prepared); });
}

void placed_components::hold(placed_component& at) {
  at.opens = false;
  at.commands.hold();
  at.queries.hold();
  if (hosted_.runs(at.name)) {
    // The others hold first: what they have sent is to end here.
    report(at.move, at.name, wire::step::held);
    return;
  }
  await(
      at, at.move, [&at] { return at.commands.is_drained() && at.queries.is_drained(); },
      [this, &at, move = at.move] { report(move, at.name, wire::step::held); });
}

void placed_components::leave(placed_component& at) {
  hosted_.pause(at.name);
  await(
      at, at.move,
      [this, &at] {
        bool commands = at.commands.closes();
        return at.queries.closes() && commands && hosted_.delivers_nothing(at.name);
      },
      [this, &at, move = at.move] {
        end(at.name, [this, &at, move] {
          report(move, at.name, wire::step::left);
          // It may have been called back meanwhile.
          if (at.move == 0)
            settle();
        });
      });
}

void placed_components::resume(placed_component& at) {
  preparing_.clear();
  open_when_served(at);
  at.move = 0;
  settle();
}

void placed_components::report(std::uint64_t move, const std::string& component, wire::step what,
                               std::string why) {
  actions_.report_step({.move = move,
                        .what = static_cast<std::uint8_t>(what),
                        .component = component,
                        .why = std::move(why)});
}

// Looks until it is so, unless the move is over.
void placed_components::await(placed_component& at, std::uint64_t move, std::function<bool()> is_so,
                              std::function<void()> then) {
  if (at.move != move)
    return;
  if (is_so())
    return then();
  actions_.later(look_again, [this, &at, move, is_so = std::move(is_so), then = std::move(then)] {
    await(at, move, is_so, then);
  });
}

}  // namespace microlith::internal
