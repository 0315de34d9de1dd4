#pragma once

// What the three bus handles share: dispatching, waiting, middleware.
//
// A bus handle is a cheap copyable reference to a bus of a node. Copies may be used from any
// thread. `dispatch` never blocks, and what it returns may be ignored: a wait for the conversation
// that comes later ends with the refusal, if it was one. The forms of `wait_for`, `ask` and
// `dispatch_and_wait` without a callback block the calling thread; called on a handler's thread
// they end at once as `handler_failed`: there, use the context. Callbacks run on a thread of the
// node, one after the other, and must not block it.

#include <microlith/actors/correlated.hpp>
#include <microlith/actors/internal/runtime.hpp>
#include <microlith/actors/middleware.hpp>
#include <microlith/actors/wait.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace microlith {

class node;

namespace internal {

class bus_handle {
 public:
  /// Adds a function around every dispatch on this bus.
  void around_dispatch(dispatch_middleware around) const { runtime_->use(bus_, std::move(around)); }

  /// Adds a function around every handler of this bus.
  void around_handle(handle_middleware around) const { runtime_->use(bus_, std::move(around)); }

 protected:
  bus_handle(std::shared_ptr<runtime> node, bus_kind bus) : runtime_{std::move(node)}, bus_{bus} {}

  template <any_message T>
  [[nodiscard]] envelope seal(correlated_message<T>&& message) const {
    auto head =
        runtime_->outside_head(message.id, message.correlation, message.principal, message.headers);
    return envelope{std::move(head), std::move(message.body)};
  }

  template <any_message T>
  [[nodiscard]] envelope seal(correlated_message<T>&& message, std::chrono::milliseconds limit,
                              std::uint64_t after) const {
    auto head =
        runtime_->outside_head(message.id, message.correlation, message.principal, message.headers);
    head.deadline = deadline_after(runtime_->steady_now(), limit);
    head.after = after;
    return envelope{std::move(head), std::move(message.body)};
  }

  template <any_message T>
  dispatch_result send(correlated_message<T>&& message) const {
    return runtime_->dispatch(bus_, seal(std::move(message)));
  }

  template <awaitable... Ts, any_message T>
  [[nodiscard]] answer<Ts...> send_and_wait(correlated_message<T>&& message,
                                            std::chrono::milliseconds limit, bool is_private,
                                            std::uint64_t after = 0) const {
    auto spec = spec_of<Ts...>(message, limit, is_private);
    return typed<Ts...>(
        runtime_->dispatch_and_wait(bus_, seal(std::move(message), limit, after), std::move(spec)));
  }

  template <awaitable... Ts, any_message T, class Callback>
  void send_and_wait_then(correlated_message<T>&& message, std::chrono::milliseconds limit,
                          bool is_private, Callback then, std::uint64_t after = 0) const {
    auto spec = spec_of<Ts...>(message, limit, is_private);
    runtime_->dispatch_and_wait(bus_, seal(std::move(message), limit, after), std::move(spec),
                                callback_for<Ts...>(std::move(then)));
  }

  template <awaitable... Ts>
  [[nodiscard]] answer<Ts...> wait_for_types(correlation_id correlation,
                                             std::chrono::milliseconds limit) const {
    return typed<Ts...>(runtime_->wait(bus_, spec_for<Ts...>(correlation, limit)));
  }

  template <awaitable... Ts, class Callback>
  void wait_for_types_then(correlation_id correlation, std::chrono::milliseconds limit,
                           Callback then) const {
    runtime_->wait(bus_, spec_for<Ts...>(correlation, limit), callback_for<Ts...>(std::move(then)));
  }

  template <any_message T, class F>
  [[nodiscard]] handler_definition handler_for(F function, std::source_location place) const {
    return {.type = &type_of<T>(),
            .component = {},
            .place = place,
            .run = untyped<T>(std::move(function)),
            .projection = {}};
  }

  std::shared_ptr<runtime> runtime_;
  bus_kind bus_;

 private:
  template <awaitable... Ts, any_message T>
  [[nodiscard]] static wait_spec spec_of(const correlated_message<T>& message,
                                         std::chrono::milliseconds limit, bool is_private) {
    auto spec = spec_for<Ts...>(message.correlation, limit);
    spec.bound = message.id;
    spec.bound_to_root = true;
    spec.private_conversation = is_private;
    return spec;
  }

  template <awaitable... Ts, class Callback>
  [[nodiscard]] static answer_callback callback_for(Callback then) {
    return
        [then = std::move(then)](raw_answer&& raw) mutable { then(typed<Ts...>(std::move(raw))); };
  }
};

/// A handler takes a `T`, alone or with the context.
template <class F, class T>
concept handler_of = std::invocable<F&, const T&, context&> || std::invocable<F&, const T&>;

}  // namespace internal
}  // namespace microlith
