#pragma once

// What a handler is given beside its message.
//
// What a handler dispatches through its context belongs to the conversation of the message that is
// being handled and names it as its cause. It leaves when the handler returns: all its events in
// one atomic append, then the commands and queries; nothing at all if the handler throws. A context
// is valid during the call that it was passed to, on that thread.

#include <microlith/actors/internal/runtime.hpp>
#include <microlith/actors/wait.hpp>
#include <microlith/messages/stream_of.hpp>

#include <stdexcept>

namespace microlith {

/// A wait inside a handler. Nothing blocks: `then` names what goes on when it has ended, on the
/// handler's actor. Until then the handler serves other messages.
template <awaitable... Ts>
class [[nodiscard]] pending_answer {
 public:
  pending_answer(internal::handling& handling, internal::wait_spec spec)
      : handling_{handling}, spec_{std::move(spec)} {}

  /// One function for every alternative of `answer<Ts...>`, each with or without `context&` as its
  /// second argument.
  template <class... Handlers>
  void then(Handlers... handlers);

 private:
  internal::handling& handling_;
  internal::wait_spec spec_;
};

class context {
 public:
  explicit context(internal::handling& handling) : handling_{handling} {}
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  [[nodiscard]] const envelope& message() const { return handling_.message; }
  [[nodiscard]] const envelope_head& head() const { return handling_.message.head(); }
  [[nodiscard]] message_id id() const { return head().id; }
  [[nodiscard]] correlation_id correlation() const { return head().correlation; }
  /// Who began the conversation, as the edge established it.
  [[nodiscard]] const principal& who() const { return facts_of(head()).principal; }
  /// Where the journal has the event that is being handled; 0 for other messages.
  [[nodiscard]] std::uint64_t position() const { return handling_.message.position; }
  /// The node's time: virtual under the deterministic scheduler.
  [[nodiscard]] wall_time now() const { return handling_.node.wall_now(); }

  /// Sends a command, a query, an event or a rejection when the handler returns.
  template <any_message T>
    requires(!response_message<T>)
  message_id dispatch(T body) {
    std::string stream;
    if constexpr (event_message<T>)
      stream = internal::stream_name_of(body);
    return send(std::move(body), bus_of<T>(), std::move(stream));
  }

  /// The first message of these types in this conversation.
  template <awaitable... Ts>
  [[nodiscard]] pending_answer<Ts...> wait_for(
      std::chrono::milliseconds limit = default_wait_limit) {
    return wait_for<Ts...>(correlation(), limit);
  }

  template <awaitable... Ts>
  [[nodiscard]] pending_answer<Ts...> wait_for(
      correlation_id conversation, std::chrono::milliseconds limit = default_wait_limit) {
    return {handling_, internal::spec_for<Ts...>(conversation, limit)};
  }

  template <event_awaitable... Ts, command_message C>
  [[nodiscard]] pending_answer<Ts...> dispatch_and_wait(
      C body, std::chrono::milliseconds limit = default_wait_limit) {
    auto spec = internal::spec_for<Ts...>(correlation(), limit);
    spec.bound = dispatch(std::move(body));
    spec.bound_depth = static_cast<std::uint16_t>(head().depth + 1);
    return {handling_, std::move(spec)};
  }

  template <query_message Q>
  [[nodiscard]] pending_answer<response_of<Q>> ask(Q body, ask_options options = {}) {
    auto spec = internal::spec_for<response_of<Q>>(correlation(), options.limit);
    spec.bound = send(std::move(body), internal::bus_kind::query, {}, options.after);
    return {handling_, std::move(spec)};
  }

  /// Answers the query that is being handled, now or from a continuation.
  template <response_message R>
  void answer_with(R body) {
    send(std::move(body), internal::bus_kind::query, {});
  }

 private:
  template <any_message T>
  [[nodiscard]] static constexpr internal::bus_kind bus_of() {
    if constexpr (command_message<T>)
      return internal::bus_kind::command;
    else if constexpr (query_message<T>)
      return internal::bus_kind::query;
    else
      return internal::bus_kind::event;
  }

  template <any_message T>
  message_id send(T&& body, internal::bus_kind bus, std::string stream, std::uint64_t after = 0) {
    if (handling_.sent.size() >= internal::max_messages_per_handling)
      throw std::length_error{"one handler call sends at most " +
                              std::to_string(internal::max_messages_per_handling) +
                              " messages; send fewer, or spread them over several commands"};
    auto head = internal::caused_head(handling_.message, now());
    head.after = after;
    if (handling_.next_id != nullptr)
      head.id = (*handling_.next_id)();
    auto id = head.id;
    handling_.sent.push_back({.bus = bus,
                              .message = envelope{std::move(head), std::move(body)},
                              .stream = std::move(stream)});
    return id;
  }

  internal::handling& handling_;
};

template <awaitable... Ts>
template <class... Handlers>
void pending_answer<Ts...>::then(Handlers... handlers) {
  auto visitor = internal::overloaded<Handlers...>{std::move(handlers)...};
  handling_.continuations.push_back(
      {.spec = std::move(spec_),
       .then = [visitor = std::move(visitor)](internal::raw_answer&& raw, context& ctx) mutable {
         auto typed_answer = internal::typed<Ts...>(std::move(raw));
         std::visit(
             [&](const auto& alternative) {
               if constexpr (std::is_invocable_v<decltype(visitor)&, decltype(alternative),
                                                 context&>)
                 visitor(alternative, ctx);
               else
                 visitor(alternative);
             },
             static_cast<const typename answer<Ts...>::variant&>(typed_answer));
       }});
}

}  // namespace microlith
