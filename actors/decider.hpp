#pragma once

// Deciders: pure functions over a state, turned into actors.
//
//     struct user { static constexpr std::string_view stream = "auth.user"; … };
//     std::string stream_key(const register_command&);
//     std::variant<registered, refused> decide(const user&, const register_command&);
//     user evolve(user, const registered&);
//
// All are found by argument-dependent lookup. `decide` may also take what `prepare` made and a
// `decision_info`, in this order, and returns an event, a rejection, `std::monostate` (nothing), or
// variants, optionals, vectors and tuples of these. Optional, for slow or impure work:
//
//     P prepare(const user&, const login_command&);  // in a bounded worker, on a copy of the state
//     auto prepare_basis(const user&, const login_command&);  // what prepare relied on; the whole
//                                                             // state where it is not given
//
// With `decider_options::snapshot_every` a described state is kept now and then, so that loading a
// long stream begins there.
//
// A state that evolves with events which its own commands never produce names them:
//     using events = microlith::events<session_opened, …>;

#include <microlith/actors/internal/decider_definition.hpp>
#include <microlith/actors/internal/snapshot_codec.hpp>
#include <microlith/messages/equality.hpp>
#include <microlith/messages/stream_of.hpp>

#include <boost/mp11.hpp>

#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace microlith {

template <event_message... Es>
struct events {};

namespace internal {

template <class S, class C>
concept prepares = requires(const S& state, const C& command) {
  prepare(state, command);
};

template <class S, class C>
concept has_prepare_basis = requires(const S& state, const C& command) {
  prepare_basis(state, command);
};

template <class S, class E>
concept evolves_with = requires(S state, const E& event) {
  { evolve(std::move(state), event) } -> std::convertible_to<S>;
};

template <class S>
concept names_a_category = requires {
  { S::stream } -> std::convertible_to<std::string_view>;
};

template <class C>
concept has_stream_key = requires(const C& command) {
  { stream_key(command) } -> std::convertible_to<std::string>;
};

template <class S, class E>
struct evolves : std::bool_constant<event_message<E> && evolves_with<S, E>> {};

template <class S>
concept names_events = requires {
  typename S::events;
};

template <class S, class C>
[[nodiscard]] auto basis_of(const S& state, const C& command) {
  if constexpr (has_prepare_basis<S, C>)
    return prepare_basis(state, command);
  else
    return state;
}

template <class S, class C>
struct prepared_work {
  using basis_type = decltype(basis_of(std::declval<const S&>(), std::declval<const C&>()));
  using value_type = decltype(prepare(std::declval<const S&>(), std::declval<const C&>()));
  basis_type basis;
  value_type value;
};

// The four signatures that `decide` may have.
template <class S, class C>
decltype(auto) call_decide(const S& state, const C& command, const void* prepared,
                           const decision_info& info) {
  if constexpr (prepares<S, C>) {
    const auto& made = static_cast<const prepared_work<S, C>*>(prepared)->value;
    if constexpr (requires { decide(state, command, made, info); })
      return decide(state, command, made, info);
    else
      return decide(state, command, made);
  } else if constexpr (requires { decide(state, command, info); }) {
    return decide(state, command, info);
  } else {
    static_assert(
        requires { decide(state, command); },
        "a decider needs `decide(const State&, const Command&)`, which may also take what "
        "`prepare` made and a `const decision_info&`, in the namespace of state or command");
    return decide(state, command);
  }
}

template <class S, class C>
using decision_type =
    std::remove_cvref_t<decltype(call_decide(std::declval<const S&>(), std::declval<const C&>(),
                                             nullptr, std::declval<const decision_info&>()))>;

// The message types in a decision type, flattened.
template <class T>
struct decision_messages {
  static_assert(
      published_message<T>,
      "decide returns events, rejections, std::monostate, or variants, optionals, vectors "
      "and tuples of these");
  using type = boost::mp11::mp_list<T>;
};
template <>
struct decision_messages<std::monostate> {
  using type = boost::mp11::mp_list<>;
};
template <class... Ts>
struct decision_messages<std::variant<Ts...>> {
  using type = boost::mp11::mp_append<typename decision_messages<Ts>::type...>;
};
template <class... Ts>
struct decision_messages<std::tuple<Ts...>> {
  using type =
      boost::mp11::mp_append<boost::mp11::mp_list<>, typename decision_messages<Ts>::type...>;
};
template <class T>
struct decision_messages<std::optional<T>> : decision_messages<T> {};
template <class T>
struct decision_messages<std::vector<T>> : decision_messages<T> {};

class decision_collector {
 public:
  decision_collector(const envelope& command, const decision_info& info, const std::string& stream,
                     std::vector<outgoing>& out)
      : command_{command}, info_{info}, stream_{stream}, out_{out} {}

  void operator()(std::monostate) const {}

  template <published_message T>
  void operator()(T&& message) const {
    std::string stream;
    if constexpr (event_message<T>)
      stream = stream_name_of(message, stream_);
    out_.push_back({.bus = bus_kind::event,
                    .message = envelope{caused_head(command_, info_.now), std::move(message)},
                    .stream = std::move(stream)});
  }

  template <class... Ts>
  void operator()(std::variant<Ts...> one_of) const {
    std::visit([this](auto& held) { (*this)(std::move(held)); }, one_of);
  }

  template <class... Ts>
  void operator()(std::tuple<Ts...> all) const {
    std::apply([this](auto&... each) { ((*this)(std::move(each)), ...); }, all);
  }

  template <class T>
  void operator()(std::optional<T> maybe) const {
    if (maybe)
      (*this)(std::move(*maybe));
  }

  template <class T>
  void operator()(std::vector<T> all) const {
    for (auto& each : all)
      (*this)(std::move(each));
  }

 private:
  const envelope& command_;
  const decision_info& info_;
  const std::string& stream_;
  std::vector<outgoing>& out_;
};

template <class S, command_message C>
[[nodiscard]] decider_command make_decider_command() {
  static_assert(has_stream_key<C>,
                "a decider needs `std::string stream_key(const Command&)`, which names the stream "
                "that a command is about, in the namespace of the command");
  decider_command command;
  command.type = &type_of<C>();
  command.key = [](const void* body) -> std::string {
    return stream_key(*static_cast<const C*>(body));
  };
  command.decide = [](const void* state, const envelope& message, const void* prepared,
                      const decision_info& info, const std::string& stream,
                      std::vector<outgoing>& out) {
    decision_collector collect{message, info, stream, out};
    collect(decision_type<S, C>(
        call_decide(*static_cast<const S*>(state), *message.get_if<C>(), prepared, info)));
  };
  if constexpr (prepares<S, C>) {
    using work = prepared_work<S, C>;
    command.prepare = [](const void* state, const void* body) -> erased_state {
      const auto& s = *static_cast<const S*>(state);
      const auto& c = *static_cast<const C*>(body);
      return std::make_shared<work>(work{.basis = basis_of(s, c), .value = prepare(s, c)});
    };
    command.still_holds = [](const void* state, const void* body, const void* prepared) {
      return equal(basis_of(*static_cast<const S*>(state), *static_cast<const C*>(body)),
                   static_cast<const work*>(prepared)->basis);
    };
  }
  return command;
}

template <class S, class E>
void add_evolve(decider_definition& definition) {
  if constexpr (event_message<E>) {
    static_assert(
        evolves_with<S, E> || !requires(S & state, const E& event) { evolve(state, event); },
        "`evolve(State, const Event&)` returns the new state");
    if constexpr (evolves_with<S, E>) {
      definition.evolve.emplace(&type_of<E>(), [](void* state, const void* event) {
        auto& s = *static_cast<S*>(state);
        s = evolve(std::move(s), *static_cast<const E*>(event));
      });
    }
  }
}

}  // namespace internal

/// The decider of `State` for `Commands...` as the runtime runs it.
template <class State, command_message... Commands>
[[nodiscard]] std::shared_ptr<internal::decider_definition> make_decider(
    decider_options options = {}, std::source_location place = std::source_location::current()) {
  using namespace boost::mp11;
  static_assert(internal::names_a_category<State>,
                "a decider's state names what its streams are called: "
                "`static constexpr std::string_view stream = \"shop.order\";`");
  auto definition = std::make_shared<internal::decider_definition>();
  definition->category = State::stream;
  definition->place = place;
  definition->options = options;
  definition->initial = [] {
    if constexpr (alignof(State) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__)
      return std::allocate_shared<State>(internal::recycling_allocator<State>{});
    else
      return std::make_shared<State>();
  };
  definition->copy = [](const void* state) {
    return std::make_shared<State>(*static_cast<const State*>(state));
  };
  (definition->commands.push_back(internal::make_decider_command<State, Commands>()), ...);
  using produced =
      mp_unique<mp_append<mp_list<>, typename internal::decision_messages<
                                         internal::decision_type<State, Commands>>::type...>>;
  mp_for_each<mp_transform<std::type_identity, produced>>([&]<class E>(std::type_identity<E>) {
    static_assert(
        !event_message<E> || std::is_empty_v<State> || internal::belongs_to_stream<E> ||
            internal::evolves_with<State, E>,
        "an event that `decide` returns is forgotten: it needs `State evolve(State, const "
        "Event&)`, in the namespace of state or event; one that changes nothing returns "
        "the state as it is");
    definition->publishes.push_back(&type_of<E>());
    internal::add_evolve<State, E>(*definition);
  });
  if constexpr (internal::names_events<State>) {
    mp_for_each<mp_transform<std::type_identity, mp_rename<typename State::events, mp_list>>>(
        [&]<class E>(std::type_identity<E>) {
          static_assert(internal::evolves_with<State, E>,
                        "`State::events` names an event that has no `State evolve(State, const "
                        "Event&)`, in the namespace of state or event");
          internal::add_evolve<State, E>(*definition);
        });
  }
  using own = mp_any_of_q<produced, mp_bind_front<internal::evolves, State>>;
  static_assert(std::is_empty_v<State> || own::value || internal::names_events<State>,
                "no event changes the state: a decider needs `State evolve(State, const Event&)`, "
                "in the namespace of state or event");
  internal::add_snapshots<State>(*definition);
  return definition;
}

}  // namespace microlith
