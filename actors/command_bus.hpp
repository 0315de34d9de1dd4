#pragma once

// Carries commands to the one handler of each type. Thread-safe; see bus.hpp.

#include <microlith/actors/bus.hpp>
#include <microlith/actors/context.hpp>

namespace microlith {

class command_bus : public internal::bus_handle {
 public:
  /// Sends the command on its way. A command that nobody serves, or that comes when too many are in
  /// flight, is refused at once; what is refused was not done.
  template <command_message C>
  dispatch_result dispatch(correlated_message<C> command) const {
    return send(std::move(command));
  }

  template <command_message C>
  dispatch_result dispatch(C command) const {
    return send(correlated(std::move(command)));
  }

  /// Dispatches, and waits for the first of `Ts` that comes of it; `accepted` among `Ts` stands for
  /// "it ended well without any of the others".
  template <event_awaitable... Ts, command_message C>
  [[nodiscard]] answer<Ts...> dispatch_and_wait(
      correlated_message<C> command, std::chrono::milliseconds limit = default_wait_limit) const {
    return send_and_wait<Ts...>(std::move(command), limit, false);
  }

  template <event_awaitable... Ts, command_message C>
  [[nodiscard]] answer<Ts...> dispatch_and_wait(
      C command, std::chrono::milliseconds limit = default_wait_limit) const {
    return send_and_wait<Ts...>(correlated(std::move(command)), limit, true);
  }

  /// The same without blocking: `then(answer<Ts...>)` is called once.
  template <event_awaitable... Ts, command_message C, std::invocable<answer<Ts...>> F>
  void dispatch_and_wait(correlated_message<C> command, std::chrono::milliseconds limit,
                         F then) const {
    send_and_wait_then<Ts...>(std::move(command), limit, false, std::move(then));
  }

  template <event_awaitable... Ts, command_message C, std::invocable<answer<Ts...>> F>
  void dispatch_and_wait(C command, std::chrono::milliseconds limit, F then) const {
    send_and_wait_then<Ts...>(correlated(std::move(command)), limit, true, std::move(then));
  }

  /// Waits for the outcome of a conversation's command alone.
  template <std::same_as<accepted> T>
  [[nodiscard]] answer<T> wait_for(correlation_id conversation,
                                   std::chrono::milliseconds limit = default_wait_limit) const {
    return wait_for_types<T>(conversation, limit);
  }

  /// The same without blocking: `then(answer<accepted>)` is called once.
  template <std::same_as<accepted> T, std::invocable<answer<T>> F>
  void wait_for(correlation_id conversation, std::chrono::milliseconds limit, F then) const {
    wait_for_types_then<T>(conversation, limit, std::move(then));
  }

  /// Makes `function` the handler of `C`: `(const C&)` or `(const C&, context&)`, run by an actor
  /// of its own. Refused, with both places named, if `C` has a handler already.
  template <command_message C, internal::handler_of<C> F>
  [[nodiscard]] result<subscription, failure> subscribe(
      F function, std::source_location place = std::source_location::current()) const {
    return runtime_->serve(bus_, handler_for<C>(std::move(function), place));
  }

 private:
  friend class node;
  explicit command_bus(std::shared_ptr<internal::runtime> node)
      : bus_handle{std::move(node), internal::bus_kind::command} {}
};

}  // namespace microlith
