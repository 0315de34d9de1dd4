#pragma once

// Carries queries to the one handler of each type, and its response back. Thread-safe; see bus.hpp.

#include <microlith/actors/bus.hpp>
#include <microlith/actors/context.hpp>

namespace microlith {

class query_bus : public internal::bus_handle {
 public:
  template <query_message Q>
  dispatch_result dispatch(correlated_message<Q> query) const {
    return send(std::move(query));
  }

  template <query_message Q>
  dispatch_result dispatch(Q query) const {
    return send(correlated(std::move(query)));
  }

  /// Dispatches the query and waits for its response.
  template <query_message Q>
  [[nodiscard]] answer<response_of<Q>> ask(Q query, ask_options options = {}) const {
    return send_and_wait<response_of<Q>>(correlated(std::move(query)), options.limit, true,
                                         options.after);
  }

  template <query_message Q>
  [[nodiscard]] answer<response_of<Q>> ask(correlated_message<Q> query,
                                           ask_options options = {}) const {
    return send_and_wait<response_of<Q>>(std::move(query), options.limit, false, options.after);
  }

  /// The same without blocking: `then(answer<response>)` is called once.
  template <query_message Q, std::invocable<answer<response_of<Q>>> F>
  void ask(Q query, ask_options options, F then) const {
    send_and_wait_then<response_of<Q>>(correlated(std::move(query)), options.limit, true,
                                       std::move(then), options.after);
  }

  template <query_message Q, std::invocable<answer<response_of<Q>>> F>
  void ask(correlated_message<Q> query, ask_options options, F then) const {
    send_and_wait_then<response_of<Q>>(std::move(query), options.limit, false, std::move(then),
                                       options.after);
  }

  /// The first response of these types in the conversation.
  template <response_message... Ts>
  [[nodiscard]] answer<Ts...> wait_for(correlation_id conversation,
                                       std::chrono::milliseconds limit = default_wait_limit) const {
    return wait_for_types<Ts...>(conversation, limit);
  }

  template <response_message... Ts, std::invocable<answer<Ts...>> F>
  void wait_for(correlation_id conversation, std::chrono::milliseconds limit, F then) const {
    wait_for_types_then<Ts...>(conversation, limit, std::move(then));
  }

  /// Makes `function` the handler of `Q`: it returns the response, or `void` and answers through
  /// its context, perhaps later. Refused, with both places named, if `Q` has a handler already.
  template <query_message Q, internal::handler_of<Q> F>
  [[nodiscard]] result<subscription, failure> subscribe(
      F function, std::source_location place = std::source_location::current()) const {
    return runtime_->serve(bus_, handler_for<Q>(answering<Q>(std::move(function)), place));
  }

  /// A function of `(const Q&, context&)` that answers with what `function` returns.
  template <query_message Q, class F>
  [[nodiscard]] static auto answering(F function) {
    return [function = std::move(function)](const Q& query, context& ctx) mutable {
      auto call = [&] {
        if constexpr (std::is_invocable_v<F&, const Q&, context&>)
          return function(query, ctx);
        else
          return function(query);
      };
      if constexpr (std::is_void_v<decltype(call())>)
        call();
      else
        ctx.answer_with<response_of<Q>>(call());
    };
  }

 private:
  friend class node;
  explicit query_bus(std::shared_ptr<internal::runtime> node)
      : bus_handle{std::move(node), internal::bus_kind::query} {}
};

}  // namespace microlith
