#include <microlith/actors/internal/actors_part.hpp>
#include <microlith/actors/internal/cluster/cluster.hpp>

namespace microlith::internal {

namespace {

// What one step has for one receiver, to be handed over at once.
struct bundle {
  const receiver* to = nullptr;
  std::vector<envelope> messages;
};

struct bus_state {
  runtime* node = nullptr;
  bus_part* bus = nullptr;
  std::shared_ptr<const route_table> routes;
  std::uint64_t routes_version = 0;
  std::vector<bundle> bundles;  // keeps its memory
  std::size_t bundled = 0;

  void put(const receiver& to, envelope&& message) {
    for (std::size_t i = 0; i < bundled; ++i) {
      // Several types may go to one receiver; their order is kept.
      if (bundles[i].to->waiting == to.waiting) {
        bundles[i].messages.push_back(std::move(message));
        return;
      }
    }
    constexpr std::size_t max_bundles = 16;
    if (bundled == max_bundles)
      hand_over();
    if (bundled == bundles.size())
      bundles.emplace_back();
    auto& added = bundles[bundled++];
    added.to = &to;
    added.messages.push_back(std::move(message));
  }

  void hand_over() {
    for (std::size_t i = 0; i < bundled; ++i)
      bundles[i].to->deliver_all(bundles[i].messages);
    bundled = 0;
  }

  const route* find(const message_type& type) {
    if (auto version = bus->routes.version(); version != routes_version) {
      hand_over();  // the receivers are those of the old ones
      routes = bus->routes.get();
      routes_version = version;
    }
    auto at = routes->find(&type);
    return at == routes->end() ? nullptr : at->second.get();
  }
};

using bus_self = bus_core_actor::stateful_pointer<bus_state>;

void carry(bus_self self, envelope&& message, bool was_held = false) {
  auto& state = self->state;
  auto& node = state.node->actors();
  if (state.bus->kind == bus_kind::event) {
    node.append_alone(std::move(message));
    return;
  }
  const auto* to = state.find(message.type());
  if (node.others && !node.others->enters(message, to != nullptr))
    return;
  if (!to && node.others) {
    node.others->carry(std::move(message), was_held);
    return;
  }
  if (!to) {
    node.turned_away(message, {.kind = failure_kind::no_handler,
                               .certainty = certainty::not_done,
                               .text = "nobody serves " + std::string{message.type().name} +
                                       "; host the component that does",
                               .message = {}});
    return;
  }
  // Nobody else writes it.
  to->count->store(to->count->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::size_t index = 0;
  if (to->pick) {
    try {
      index = to->pick(message);
    } catch (...) {
      node.failed(message,
                  handler_threw(message, to->component, "stream_key: " + current_exception_text()));
      return;
    }
  }
  state.put(to->receivers[index], std::move(message));
}

void carry_one(bus_self self, envelope&& message) {
  carry(self, std::move(message));
  self->state.hand_over();
}

// Brings on what waits. What comes by itself, as a CAF message, was sent later.
void carry_all(bus_self self) {
  auto& waiting = self->state.bus->waiting;
  while (auto* message = waiting.next())
    carry(self, std::move(*message));
  self->state.hand_over();
}

struct filed {
  caf::typed_response_promise<answer_message> promise;
  opening how = opening::first;
};

template <class Self>
filed file(Self self, wait_request&& request, opened_dispatch dispatch = {}) {
  auto& node = self->state.node->actors();
  auto promise = self->template make_response_promise<answer_message>();
  auto how =
      node.talks->wait(make_requested_wait(promise, caf::actor_cast<caf::strong_actor_ptr>(self),
                                           std::move(request)),
                       node.now(), dispatch);
  return {std::move(promise), how};
}

bus_core_actor::behavior_type bus_behavior(bus_self self, runtime* node, bus_part* bus) {
  self->state.node = node;
  self->state.bus = bus;
  return {
      [self](envelope& message) {
        carry_all(self);
        carry_one(self, std::move(message));
      },
      [self](wait_request& request) { return file(self, std::move(request)).promise; },
      [self](envelope& message, wait_request& request) {
        carry_all(self);
        // Filed before the message leaves, so that its answer cannot pass it.
        auto done = file(self, std::move(request), opened_by(message));
        if (self->state.node->actors().begins(message, done.how))
          carry_one(self, std::move(message));
        return done.promise;
      },
      [self](stop_atom) { self->quit(); },
      [self](bell_atom) {
        auto& state = self->state;
        bool more = read_step(state.bus->waiting,
                              [&](envelope&& message) { carry(self, std::move(message)); });
        state.hand_over();
        if (more)
          self->send(self, bell_atom::value);
      },
      [self](retire_message& retire) {
        carry_all(self);
        retire.stop();
      },
      [self](release_message& held) {
        for (auto& message : held.gate->open())
          carry(self, std::move(message), true);
        self->state.hand_over();
      },
  };
}

struct front_state {
  runtime* node = nullptr;
};

bus_actor::behavior_type front_behavior(bus_actor::stateful_pointer<front_state> self,
                                        runtime* node, bus_kind bus) {
  self->state.node = node;
  return {
      [node, bus](envelope& message) {
        static_cast<void>(node->dispatch(bus, std::move(message)));
      },
      [self](wait_request& request) { return file(self, std::move(request)).promise; },
      [self, node, bus](envelope& message, wait_request& request) {
        auto promise = file(self, std::move(request)).promise;
        // Refused, it ends the wait.
        static_cast<void>(node->dispatch(bus, std::move(message)));
        return promise;
      },
      [self](stop_atom) { self->quit(); },
  };
}

}  // namespace

bus_actor spawn_bus_front(runtime& node, bus_kind kind) {
  return node.actors().system->spawn(front_behavior, &node, kind);
}

bus_core_actor spawn_bus(runtime& node, bus_kind kind) {
  auto& part = node.actors();
  return part.system->spawn(bus_behavior, &node, &part.bus(kind));
}

}  // namespace microlith::internal
