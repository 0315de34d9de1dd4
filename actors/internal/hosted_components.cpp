#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster_start.hpp>
#include <microlith/actors/internal/hosted_components.hpp>
#include <microlith/persistence/stored_name.hpp>

#include <algorithm>

namespace microlith::internal {

namespace {

failure cannot_host(std::string text) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = std::move(text),
          .message = {}};
}

failure stopped_hosting(const std::string& what) {
  return {.kind = failure_kind::stopped,
          .certainty = certainty::not_done,
          .text = "the node has stopped: it cannot host " + what + " any more",
          .message = {}};
}

result<void, failure> learn_types(runtime::actors_part& part, const component& of) {
  auto learned = part.catalog.update([&](type_catalog& catalog) -> result<void, catalog_error> {
    for (const auto* type : of.types()) {
      if (auto added = catalog.add(*type); !added)
        return added;
    }
    return {};
  });
  if (!learned)
    return cannot_host(to_string(learned.error()));
  return {};
}

}  // namespace

result<void, failure> hosted_components::open(hosted& at, const component& of) {
  auto& part = node_.actors();
  if (!is_stored_name(of.name()))
    return cannot_host(bad_stored_name("a component", of.name()));
  if (auto learned = learn_types(part, of); !learned)
    return learned;
  for (const auto& definition : of.projections()) {
    if (part.options.data.empty())
      return cannot_host("projection " + definition.name() +
                         " needs a data directory; set node_options::data");
    if (definition.inlined()) {
      if (part.journal->rows_of(definition.name()) != nullptr)
        continue;
      return cannot_host("the inline projection " + definition.name() +
                         " must be hosted by the node that holds the journal, from its start on: "
                         "give its component to node::start");
    }
    auto store = projection_store::open(
        definition,
        {.directory = part.options.data, .map_limit_bytes = part.options.journal_map_bytes},
        *part.journal);
    if (!store)
      return cannot_host(to_string(store.error()));
    auto projector = std::make_shared<projector_part>();
    projector->store = std::move(*store);
    projector->checkpoint.store(projector->store->checkpoint());
    bool spawned = false;
    part.unless_retired([&] {
      projector->actor = spawn_projector(node_, *projector);
      caf::anon_send(projector->actor, bell_atom::value);
      if (projector->store->rebuild_wanted())
        caf::anon_send(projector->actor, rebuild_atom::value);
      part.projectors.update(
          [&](projector_table& table) { table.emplace(definition.name(), projector); });
      spawned = true;
    });
    if (!spawned)
      return stopped_hosting(of.name());
    at.projectors.push_back(std::move(projector));
  }
  return {};
}

result<void, failure> hosted_components::open(hosted& at, const durable_subscription& definition) {
  auto& part = node_.actors();
  auto refuse = [&](const std::string& why) {
    return cannot_host("durable subscription " + definition.name() + why);
  };
  bool elsewhere = part.others && !part.others->has_journal();
  if (!elsewhere && part.options.data.empty())
    return refuse(" needs a data directory; set node_options::data");
  if (part.durables.get()->contains(definition.name()))
    return refuse(" is hosted already: its name is the name of its checkpoint");
  if (part.others)
    part.others->close_store(definition.name());
  auto store = elsewhere
                   ? part.others->open_store(definition, at.name)
                   : subscription_store::open(definition.name(),
                                              {.directory = part.options.data,
                                               .start = definition.options().start,
                                               .map_limit_bytes = part.options.journal_map_bytes},
                                              *part.journal);
  if (!store)
    return cannot_host(to_string(store.error()));
  if (!(*store)->note().empty())
    part.log(log_level::warning, (*store)->note());
  auto durable = std::make_shared<durable_part>(definition);
  durable->component = at.name;
  durable->store = std::move(*store);
  part.unless_retired([&] {
    durable->actor = spawn_subscriber(node_, *durable);
    part.durables.update([&](durable_table& table) { table.emplace(definition.name(), durable); });
    caf::anon_send(durable->actor, bell_atom::value);
    at.durables.push_back(durable);
  });
  return {};
}

result<void, failure> hosted_components::serve(hosted& at, const component& of) {
  for (const auto& definition : of.durable_subscriptions()) {
    if (auto ok = open(at, definition); !ok)
      return ok;
  }
  auto& part = node_.actors();
  for (const auto& declared : of.declarations()) {
    const auto& rows = declared.projection;
    if (declared.how == involvement::serves && !rows.empty() &&
        part.journal->rows_of(rows) == nullptr && !part.projectors.get()->contains(rows))
      return cannot_host("component " + of.name() + " answers " + std::string{declared.type->name} +
                         " from the projection " + rows +
                         ", which is not hosted here: hand the component that projection with "
                         "`projects`, or name one that it has");
  }
  hosting with{.node = node_,
               .subscriptions = at.subscriptions,
               .rows_of = [&part](const std::string& name) -> hosted_rows {
                 if (const auto* rows = part.journal->rows_of(name))
                   return {*rows, false};
                 return {*part.projectors.get()->at(name)->store};
               }};
  for (const auto& step : of.steps()) {
    if (auto ok = step(with); !ok)
      return ok.error();
  }
  set_serves(at, true);
  return {};
}

result<void, failure> hosted_components::add(const component& added) {
  std::lock_guard lock{mutex_};
  auto& at = hosted_.emplace_back();
  at.name = added.name();
  if (auto ok = open(at, added); !ok)
    return ok;
  return serve(at, added);
}

void hosted_components::offer(std::vector<component> all) {
  std::lock_guard lock{mutex_};
  offered_ = std::move(all);
}

const component* hosted_components::find_offer(std::string_view name) const {
  auto at = std::find_if(offered_.begin(), offered_.end(),
                         [&](const component& each) { return each.name() == name; });
  return at == offered_.end() ? nullptr : &*at;
}

bool hosted_components::offers(std::string_view name) const {
  std::lock_guard lock{mutex_};
  return find_offer(name) != nullptr;
}

bool hosted_components::movable(std::string_view name) const {
  std::lock_guard lock{mutex_};
  const auto* at = find_offer(name);
  return at == nullptr || is_run_by_nodes(*at);
}

hosted_components::hosted* hosted_components::find(std::string_view name) {
  auto at = std::find_if(hosted_.begin(), hosted_.end(),
                         [&](const hosted& each) { return each.name == name; });
  return at == hosted_.end() ? nullptr : &*at;
}

const hosted_components::hosted* hosted_components::find(std::string_view name) const {
  return const_cast<hosted_components*>(this)->find(name);
}

result<void, failure> hosted_components::prepare(const std::string& name) {
  std::lock_guard lock{mutex_};
  const auto* offered = find_offer(name);
  if (offered == nullptr)
    return cannot_host("the program of this node has no component " + name +
                       "; run one there that has it");
  if (const auto* there = find(name)) {
    if (there->ending)
      return cannot_host(name + " is still ending here; try again later");
    return {};
  }
  auto& at = hosted_.emplace_back();
  at.name = name;
  auto opened = open(at, *offered);
  if (!opened)
    end(at);
  return opened;
}

bool hosted_components::has_reached(std::string_view name, std::uint64_t position) const {
  std::lock_guard lock{mutex_};
  const auto* at = find(name);
  return at != nullptr &&
         std::all_of(at->projectors.begin(), at->projectors.end(), [&](const auto& projector) {
           // One that has stopped goes no further, here or elsewhere.
           return projector->failed.load() ||
                  projector->checkpoint.load(std::memory_order_acquire) >= position;
         });
}

result<void, failure> hosted_components::begin(const std::string& name) {
  if (auto ready = prepare(name); !ready)
    return ready;
  std::lock_guard lock{mutex_};
  auto* at = find(name);
  if (at == nullptr || at->ending)
    return stopped_hosting(name);
  if (at->serves)
    return {};
  auto served = serve(*at, *find_offer(name));
  if (!served)
    end(*at);
  return served;
}

void hosted_components::pause(std::string_view name) {
  std::lock_guard lock{mutex_};
  if (const auto* at = find(name)) {
    for (const auto& durable : at->durables)
      caf::anon_send(durable->actor, pause_atom::value);
  }
}

bool hosted_components::delivers_nothing(std::string_view name) const {
  std::lock_guard lock{mutex_};
  const auto* at = find(name);
  return at == nullptr ||
         std::all_of(at->durables.begin(), at->durables.end(),
                     [](const auto& durable) { return durable->in_flight.load() == 0; });
}

// Nothing is served from here on; what runs by itself is told to stop.
void hosted_components::end(hosted& at) {
  if (std::exchange(at.ending, true))
    return;
  auto& part = node_.actors();
  set_serves(at, false);
  for (const auto& [type, all] : *part.subscribers.get()) {
    for (const auto& each : all) {
      if (each->component == at.name)
        at.listeners.push_back(each);
    }
  }
  at.subscriptions.clear();
  at.running_actors =
      std::make_shared<std::atomic<std::size_t>>(at.projectors.size() + at.durables.size());
  auto stop = [&](const auto& actor) {
    auto handle = caf::actor_cast<caf::actor>(actor);
    handle->attach_functor([left = at.running_actors] { left->fetch_sub(1); });
    caf::anon_send(actor, stop_atom::value);
  };
  part.projectors.update([&](projector_table& table) {
    std::erase_if(table, [&](const auto& each) {
      return std::find(at.projectors.begin(), at.projectors.end(), each.second) !=
             at.projectors.end();
    });
  });
  part.durables.update([&](durable_table& table) {
    std::erase_if(table, [&](const auto& each) {
      return std::find(at.durables.begin(), at.durables.end(), each.second) != at.durables.end();
    });
  });
  for (const auto& projector : at.projectors)
    stop(projector->actor);
  for (const auto& durable : at.durables)
    stop(durable->actor);
  // It keeps the tables that it looked at last.
  caf::anon_send(part.writer, event_batch{});
}

bool hosted_components::has_ended(std::string_view name) {
  std::lock_guard lock{mutex_};
  auto* at = find(name);
  if (at == nullptr)
    return true;
  end(*at);
  auto mine_alone = [](const auto& each) { return each.use_count() == 1; };
  auto gone = [](const auto& each) { return each.expired(); };
  if (at->running_actors->load() != 0 ||
      !std::all_of(at->listeners.begin(), at->listeners.end(), gone) ||
      !std::all_of(at->projectors.begin(), at->projectors.end(), mine_alone) ||
      !std::all_of(at->durables.begin(), at->durables.end(), mine_alone))
    return false;
  std::erase_if(hosted_, [&](const hosted& each) { return &each == at; });
  return true;
}

void hosted_components::set_serves(hosted& at, bool serves) {
  if (at.serves == serves)
    return;
  at.serves = serves;
  std::lock_guard lock{running_mutex_};
  if (serves)
    running_.insert(at.name);
  else
    running_.erase(running_.find(at.name));
}

bool hosted_components::runs(std::string_view name) const {
  std::lock_guard lock{running_mutex_};
  return running_.contains(name);
}

bool hosted_components::is_there(std::string_view name) const {
  std::lock_guard lock{mutex_};
  return find(name) != nullptr;
}

std::vector<std::string> hosted_components::running() const {
  std::lock_guard lock{running_mutex_};
  return {running_.begin(), running_.end()};
}

void hosted_components::forget() {
  std::lock_guard lock{mutex_};
  for (auto& each : hosted_)
    for (auto& one : each.subscriptions)
      one.keep();
  hosted_.clear();
}

}  // namespace microlith::internal
