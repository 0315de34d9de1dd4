// Who serves a type, who listens to it, and what goes around both.

#include <microlith/actors/internal/actors_part.hpp>

#include <thread>

namespace microlith::internal {

namespace {

std::string place_text(const std::source_location& place) {
  return std::string{place.file_name()} + ":" + std::to_string(place.line());
}

failure stopped_serving(const message_type& type) {
  return {.kind = failure_kind::stopped,
          .certainty = certainty::not_done,
          .text = "the node has stopped: nobody can serve " + std::string{type.name} + " any more",
          .message = {}};
}

// Adds a route unless the type has one; says where that one was made.
result<void, failure> add_route(bus_part& bus, const message_type& type,
                                std::shared_ptr<const route> added) {
  return bus.routes.update([&](route_table& table) -> result<void, failure> {
    auto [at, is_new] = table.emplace(&type, added);
    if (is_new)
      return {};
    auto named = [](const route& r) {
      return (r.component.empty() ? "" : r.component + " at ") + place_text(r.place);
    };
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = std::string{type.name} + " has a handler already (" +
                           named(*at->second) + "); a second one (" + named(*added) +
                           ") is refused: a command or query has exactly one",
                   .message = {}};
  });
}

}  // namespace

result<subscription, failure> runtime::serve(bus_kind kind, handler_definition definition) {
  auto& bus = actors_->bus(kind);
  const auto& type = *definition.type;
  auto added = std::make_shared<route>();
  added->component = definition.component;
  added->place = definition.place;
  handler_actor actor;
  result<void, failure> ok = stopped_serving(type);
  actors_->unless_retired([&] {
    auto waiting = std::make_shared<inbox<envelope>>();
    actor = spawn_handler(*this, kind, std::move(definition), nullptr, waiting);
    added->receivers.push_back({actor, std::move(waiting)});
    ok = add_route(bus, type, added);
    if (!ok)
      caf::anon_send(actor, stop_atom::value);
  });
  if (!ok)
    return ok.error();
  actors_->routes_changed();
  return subscription{[weak = weak_from_this(), kind, &type, actor] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    auto& from = self->actors_->bus(kind);
    from.routes.update([&](route_table& table) { table.erase(&type); });
    self->actors_->routes_changed();
    caf::anon_send(from.actor,
                   retire_message{[actor] { caf::anon_send(actor, stop_atom::value); }});
  }};
}

result<subscription, failure> runtime::serve(std::shared_ptr<const decider_definition> decider) {
  auto& bus = actors_->bus(bus_kind::command);
  if (auto ready = prepare_snapshots(*this, *decider); !ready)
    return ready.error();
  auto shard_count = decider->options.shards != 0
                         ? decider->options.shards
                         : std::max(1u, std::thread::hardware_concurrency());
  std::vector<shard_actor> shards;
  std::vector<receiver> receivers;
  std::vector<const message_type*> served;
  auto unroute = [](bus_part& from, const std::vector<const message_type*>& types) {
    from.routes.update([&](route_table& table) {
      for (const auto* type : types)
        table.erase(type);
    });
  };
  result<void, failure> ok = stopped_serving(*decider->commands.front().type);
  actors_->unless_retired([&] {
    for (unsigned i = 0; i < shard_count; ++i) {
      auto waiting = std::make_shared<inbox<envelope>>();
      shards.push_back(spawn_shard(*this, decider, waiting));
      receivers.push_back({shards.back(), std::move(waiting)});
    }
    for (const auto& command : decider->commands) {
      auto added = std::make_shared<route>();
      added->component = decider->component;
      added->place = decider->place;
      added->receivers = receivers;
      added->pick = [key = command.key, shard_count](const envelope& message) {
        return std::hash<std::string>{}(key(message.body())) % shard_count;
      };
      ok = add_route(bus, *command.type, added);
      if (!ok)
        break;
      served.push_back(command.type);
    }
  });
  auto retire = [shards] {
    for (const auto& shard : shards)
      caf::anon_send(shard, stop_atom::value);
  };
  if (!ok) {
    unroute(bus, served);
    retire();
    return ok.error();
  }
  actors_->routes_changed();
  return subscription{[weak = weak_from_this(), served, retire, unroute] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    auto& from = self->actors_->bus(bus_kind::command);
    unroute(from, served);
    self->actors_->routes_changed();
    caf::anon_send(from.actor, retire_message{retire});
  }};
}

subscription runtime::listen(handler_definition definition, live_options options) {
  auto live = std::make_shared<live_subscriber>();
  const auto& type = *definition.type;
  live->component = definition.component;
  live->options = std::move(options);
  subscription added;
  actors_->unless_retired([&] {
    live->function = spawn_handler(*this, bus_kind::event, std::move(definition), live, nullptr);
    added = actors_->add_subscriber(type, live, weak_from_this());
  });
  return added;
}

void runtime::use(bus_kind kind, dispatch_middleware around) {
  auto& bus = actors_->bus(kind);
  bus.around_dispatch.update([&](auto& all) { all.push_back(std::move(around)); });
  bus.has_dispatch_middleware.store(true, std::memory_order_release);
}

void runtime::use(bus_kind kind, handle_middleware around) {
  auto& bus = actors_->bus(kind);
  bus.around_handle.update([&](auto& all) { all.push_back(std::move(around)); });
  bus.has_handle_middleware.store(true, std::memory_order_release);
}

subscription runtime::actors_part::add_subscriber(const message_type& type,
                                                  std::shared_ptr<live_subscriber> live,
                                                  std::weak_ptr<runtime> node) {
  subscribers.update([&](subscriber_table& table) { table[&type].push_back(live); });
  routes_changed();
  return subscription{[weak = std::move(node), &type, live] {
    auto self = weak.lock();
    if (!self || self->actors_->stopped.load(std::memory_order_acquire))
      return;
    self->actors_->subscribers.update(
        [&](subscriber_table& table) { std::erase(table[&type], live); });
    self->actors_->routes_changed();
    if (live->function)
      caf::anon_send(live->function, stop_atom::value);
  }};
}

}  // namespace microlith::internal
