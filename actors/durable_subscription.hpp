#pragma once

// A durable subscription: handlers with side effects, for all events that there are and will be.
//
//     durable_subscription greetings{"shop.greetings"};
//     greetings.on<user_registered_event>(
//         [](const user_registered_event& e) { return e.email; },  // the key
//         [](const user_registered_event& e, context& ctx) { ctx.dispatch(send_greeting{e.email});
//         });
//     shop.subscribes(greetings);
//
// Each event is delivered at least once, events of one key one after the other in journal order,
// different keys side by side within a window. An event is done when its handler has returned, what
// it dispatched is durable, and the commands among that have ended well. One that fails is tried
// again after growing delays, with the rest of its key held behind it; when it has failed often
// enough the key is parked until a person has it replayed or drops it (node.hpp). Progress and held
// events survive a restart.
//
// What a handler dispatches carries ids derived from subscription and event, so an event that is
// delivered again appends nothing twice, and a command that was carried out is not run again. Other
// effects (a mail, a call) may happen again: make them idempotent, by the event's id.
//
// A description and a value; a node runs it when it hosts the component.

#include <microlith/actors/context.hpp>
#include <microlith/persistence/retry_policy.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace microlith {

struct durable_options {
  /// Events that are with handlers, or wait for an earlier one of their key, at most.
  std::size_t window = 256;
  /// Threads that run handlers. With more than one a function is called from several at once, for
  /// different keys.
  unsigned workers = 1;
  /// Past it a key is parked.
  retry_policy retries{.times = 8,
                       .first_delay = std::chrono::milliseconds{200},
                       .max_delay = std::chrono::milliseconds{30'000}};
  /// How long a command that a handler dispatched may take.
  std::chrono::milliseconds command_limit{30'000};
  /// Where one begins that is new to the data directory.
  subscription_start start = subscription_start::first_event;
};

namespace internal {

struct durable_handler {
  const message_type* type = nullptr;
  std::function<std::string(const void* body)> key;
  std::function<void(const envelope&, context&)> run;
};

template <class F, class E>
concept key_of = std::invocable<F&, const E&> &&
    std::convertible_to<std::invoke_result_t<F&, const E&>, std::string>;

/// A handler takes an `E`, alone or with the context.
template <class F, class E>
concept durable_handler_of = std::invocable<F&, const E&, context&> || std::invocable<F&, const E&>;

}  // namespace internal

class durable_subscription {
 public:
  /// The name is a folder's name, and part of the ids of what handlers dispatch: it does not
  /// change.
  explicit durable_subscription(std::string name, durable_options options = {});

  /// `key` says which events go one after the other; `handler` takes `(const E&)` or
  /// `(const E&, context&)`. One handler for each type.
  template <event_message E, internal::key_of<E> Key, internal::durable_handler_of<E> F>
  durable_subscription& on(Key key, F handler) {
    add({.type = &type_of<E>(),
         .key = [key = std::move(key)](const void* body) mutable -> std::string {
           return key(*static_cast<const E*>(body));
         },
         .run = internal::untyped<E>(std::move(handler))});
    return *this;
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const durable_options& options() const { return options_; }
  [[nodiscard]] const std::vector<internal::durable_handler>& handlers() const { return handlers_; }

 private:
  void add(internal::durable_handler handler);

  std::string name_;
  durable_options options_;
  std::vector<internal::durable_handler> handlers_;
};

}  // namespace microlith
