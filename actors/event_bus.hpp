#pragma once

// Journals events, then publishes them, in journal order; publishes rejections. Thread-safe; see
// bus.hpp.

#include <microlith/actors/bus.hpp>
#include <microlith/actors/context.hpp>

namespace microlith {

using internal::missed_events;

/// How a live subscription bears load.
using subscribe_options = internal::live_options;

class event_bus : public internal::bus_handle {
 public:
  /// Hands an event from outside of any handler to the journal. Admitted like a command.
  template <published_message E>
  dispatch_result dispatch(correlated_message<E> event) const {
    return send(std::move(event));
  }

  template <published_message E>
  dispatch_result dispatch(E event) const {
    return send(correlated(std::move(event)));
  }

  /// Dispatches, and waits for the first of `Ts`; `accepted`: it is durable.
  template <event_awaitable... Ts, published_message E>
  [[nodiscard]] answer<Ts...> dispatch_and_wait(
      E event, std::chrono::milliseconds limit = default_wait_limit) const {
    return send_and_wait<Ts...>(correlated(std::move(event)), limit, true);
  }

  template <event_awaitable... Ts, published_message E>
  [[nodiscard]] answer<Ts...> dispatch_and_wait(
      correlated_message<E> event, std::chrono::milliseconds limit = default_wait_limit) const {
    return send_and_wait<Ts...>(std::move(event), limit, false);
  }

  /// The same without blocking: `then(answer<Ts...>)` is called once.
  template <event_awaitable... Ts, published_message E, std::invocable<answer<Ts...>> F>
  void dispatch_and_wait(correlated_message<E> event, std::chrono::milliseconds limit,
                         F then) const {
    send_and_wait_then<Ts...>(std::move(event), limit, false, std::move(then));
  }

  template <event_awaitable... Ts, published_message E, std::invocable<answer<Ts...>> F>
  void dispatch_and_wait(E event, std::chrono::milliseconds limit, F then) const {
    send_and_wait_then<Ts...>(correlated(std::move(event)), limit, true, std::move(then));
  }

  /// The first message of these types in the conversation, within the limit. It does not matter
  /// whether it has passed already.
  template <event_awaitable... Ts>
  [[nodiscard]] answer<Ts...> wait_for(correlation_id conversation,
                                       std::chrono::milliseconds limit = default_wait_limit) const {
    return wait_for_types<Ts...>(conversation, limit);
  }

  /// The same without blocking: `then(answer<Ts...>)` is called once.
  template <event_awaitable... Ts, std::invocable<answer<Ts...>> F>
  void wait_for(correlation_id conversation, std::chrono::milliseconds limit, F then) const {
    wait_for_types_then<Ts...>(conversation, limit, std::move(then));
  }

  /// Calls `function` for every `E` from now on: `(const E&)` or `(const E&, context&)`, run by an
  /// actor of its own. For the present only; a projection sees the past, too. A subscriber that
  /// lags past `options.max_pending` misses events and is told which.
  template <published_message E, internal::handler_of<E> F>
  [[nodiscard]] subscription subscribe(
      F function, subscribe_options options = {},
      std::source_location place = std::source_location::current()) const {
    return runtime_->listen(handler_for<E>(std::move(function), place), std::move(options));
  }

 private:
  friend class node;
  explicit event_bus(std::shared_ptr<internal::runtime> node)
      : bus_handle{std::move(node), internal::bus_kind::event} {}
};

}  // namespace microlith
