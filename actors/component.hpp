#pragma once

// A component: the unit of placement. A named set of handlers, projections and answers.
//
// A component is a description; nothing runs until a node hosts it, so that it can be printed
// (`describe.hpp`) without opening any data.

#include <microlith/actors/command_bus.hpp>
#include <microlith/actors/decider.hpp>
#include <microlith/actors/durable_subscription.hpp>
#include <microlith/actors/event_bus.hpp>
#include <microlith/actors/query_bus.hpp>
#include <microlith/persistence/projection_group.hpp>
#include <microlith/persistence/projection_rows.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace microlith {

/// What a component does with a message type.
enum class involvement : std::uint8_t { serves, publishes, listens, dispatches, awaits, projects };

[[nodiscard]] constexpr std::string_view to_string(involvement how) {
  constexpr std::string_view names[]{"serves",     "publishes", "listens to",
                                     "dispatches", "awaits",    "projects"};
  return names[static_cast<std::size_t>(how)];
}

struct declaration {
  involvement how = involvement::serves;
  const message_type* type = nullptr;
  std::string projection;  ///< the projection that projects or answers it
};

namespace internal {
/// Rows that queries are answered from, and whether a query `after` a position waits for them.
struct hosted_rows {
  const projection_rows& rows;
  bool follow = true;
};

/// What a node hands a component that it hosts.
struct hosting {
  runtime& node;
  std::vector<subscription>& subscriptions;
  std::function<hosted_rows(const std::string& projection)> rows_of;
};
using host_step = std::function<result<void, failure>(hosting&)>;
}  // namespace internal

class component {
 public:
  explicit component(std::string name) : name_{std::move(name)} {}

  /// Deciders of `State` for these commands; see decider.hpp.
  template <class State, command_message... Commands>
  component& handles(decider_options options = {},
                     std::source_location place = std::source_location::current()) {
    auto decider = make_decider<State, Commands...>(options, place);
    decider->component = name_;
    for (const auto& command : decider->commands)
      declare(involvement::serves, *command.type);
    for (const auto* type : decider->publishes)
      declare(involvement::publishes, *type);
    for (const auto& [type, evolve] : decider->evolve)
      know(*type);
    add([decider](internal::hosting& at) { return keep(at, at.node.serve(decider)); });
    return *this;
  }

  /// A function that serves one command: `(const C&)` or `(const C&, context&)`.
  template <command_message C, internal::handler_of<C> F>
  component& serves(F function, std::source_location place = std::source_location::current()) {
    declare(involvement::serves, type_of<C>());
    auto handler = definition_of<C>(std::move(function), place);
    add([handler](internal::hosting& at) {
      return keep(at, at.node.serve(internal::bus_kind::command, handler));
    });
    return *this;
  }

  /// A function that answers a query: it returns the response, or answers through its context.
  template <query_message Q, internal::handler_of<Q> F>
  component& answers(F function, std::source_location place = std::source_location::current()) {
    declare(involvement::serves, type_of<Q>());
    know(type_of<response_of<Q>>());
    auto handler = definition_of<Q>(query_bus::answering<Q>(std::move(function)), place);
    add([handler](internal::hosting& at) {
      return keep(at, at.node.serve(internal::bus_kind::query, handler));
    });
    return *this;
  }

  /// A function that answers a query from the rows of a projection, or group, of this component:
  /// `(const Q&, const read_transaction&[, context&])`. A query with `after` waits for the
  /// projection.
  template <query_message Q, class F>
  component& answers(const std::string& projection, F function,
                     std::source_location place = std::source_location::current()) {
    declare(involvement::serves, type_of<Q>(), projection);
    know(type_of<response_of<Q>>());
    add([projection, function = std::move(function), place, name = name_](internal::hosting& at) {
      auto hosted = at.rows_of(projection);
      auto answer = [&kept = hosted.rows, function](const Q& query, context& ctx) {
        std::optional<response_of<Q>> response;
        kept.read([&](const read_transaction& rows) {
          if constexpr (std::is_invocable_v<const F&, const Q&, const read_transaction&, context&>)
            response.emplace(function(query, rows, ctx));
          else
            response.emplace(function(query, rows));
        });
        ctx.answer_with(std::move(*response));
      };
      internal::handler_definition handler{.type = &type_of<Q>(),
                                           .component = name,
                                           .place = place,
                                           .run = internal::untyped<Q>(answer),
                                           .projection = hosted.follow ? projection : ""};
      return keep(at, at.node.serve(internal::bus_kind::query, std::move(handler)));
    });
    return *this;
  }

  /// A live subscription: for the present only.
  template <published_message E, internal::handler_of<E> F>
  component& on(F function, subscribe_options options = {},
                std::source_location place = std::source_location::current()) {
    declare(involvement::listens, type_of<E>());
    auto handler = definition_of<E>(std::move(function), place);
    add([handler, options](internal::hosting& at) -> result<void, failure> {
      at.subscriptions.push_back(at.node.listen(handler, options));
      return {};
    });
    return *this;
  }

  /// A durable subscription: handlers with side effects, at least once for every event; see
  /// durable_subscription.hpp.
  component& subscribes(durable_subscription added);

  /// The same for events that share a key and a handler: `key(const E&)` and `handler(const E&)` or
  /// `(const E&, context&)` for each.
  template <event_message... Es, class Key, class F>
  component& durably_on(std::string name, Key key, F handler, durable_options options = {}) {
    durable_subscription added{std::move(name), options};
    (added.on<Es>(key, handler), ...);
    return subscribes(std::move(added));
  }

  /// Keeps a projection up to date, or a group of them, which move together.
  component& projects(projection_group definition);

  /// For the description alone: what functions publish, dispatch and wait for.
  template <published_message... Ts>
  component& publishes() {
    (declare(involvement::publishes, type_of<Ts>()), ...);
    return *this;
  }
  template <any_message... Ts>
  component& dispatches() {
    (declare(involvement::dispatches, type_of<Ts>()), ...);
    return *this;
  }
  template <any_message... Ts>
  component& awaits() {
    (declare(involvement::awaits, type_of<Ts>()), ...);
    return *this;
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<declaration>& declarations() const { return declarations_; }
  [[nodiscard]] const std::vector<projection_group>& projections() const { return projections_; }
  [[nodiscard]] const std::vector<durable_subscription>& durable_subscriptions() const {
    return durable_subscriptions_;
  }
  /// All message types that it mentions.
  [[nodiscard]] const std::vector<const message_type*>& types() const { return types_; }
  [[nodiscard]] const std::vector<internal::host_step>& steps() const { return steps_; }

 private:
  template <class T, class F>
  [[nodiscard]] internal::handler_definition definition_of(F function, std::source_location place) {
    return {.type = &type_of<T>(),
            .component = name_,
            .place = place,
            .run = internal::untyped<T>(std::move(function)),
            .projection = {}};
  }

  static result<void, failure> keep(internal::hosting& at, result<subscription, failure> served) {
    if (!served)
      return served.error();
    at.subscriptions.push_back(std::move(*served));
    return {};
  }

  void declare(involvement how, const message_type& type, std::string projection = {});
  void know(const message_type& type);
  void add(internal::host_step step) { steps_.push_back(std::move(step)); }

  std::string name_;
  std::vector<declaration> declarations_;
  std::vector<projection_group> projections_;
  std::vector<durable_subscription> durable_subscriptions_;
  std::vector<const message_type*> types_;
  std::vector<internal::host_step> steps_;
};

/// Which component serves, publishes and listens to which message, a line each.
[[nodiscard]] std::string describe(const std::vector<component>& components);

/// The same as a graph for Graphviz.
[[nodiscard]] std::string describe_dot(const std::vector<component>& components);

}  // namespace microlith
