#pragma once

// One message being handled: what its handler asks to be sent, and what it waits for.
//
// Lives on the stack of the handler's actor for the length of one call. What was collected leaves
// when the call returns, and is forgotten if it throws.

#include <microlith/actors/internal/raw_answer.hpp>
#include <microlith/messages/envelope.hpp>

#include <boost/container/small_vector.hpp>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace microlith {
class context;
}

namespace microlith::internal {

class runtime;

enum class bus_kind : std::uint8_t { command, query, event };

[[nodiscard]] constexpr std::string_view to_string(bus_kind kind) {
  return kind == bus_kind::command ? "command" : kind == bus_kind::query ? "query" : "event";
}

/// What a wait is for; `conversations.hpp` says what the fields mean.
struct wait_spec {
  correlation_id correlation;
  message_id bound;
  bool bound_to_root = false;
  std::uint16_t bound_depth = 0;
  boost::container::small_vector<const message_type*, 2> types;
  bool takes_accepted = false;
  bool private_conversation = false;
  std::chrono::milliseconds limit{0};
};

struct outgoing {
  bus_kind bus = bus_kind::event;
  envelope message;
  std::string stream;  ///< of an event; empty: none
};

struct continuation {
  wait_spec spec;
  std::function<void(raw_answer&&, context&)> then;
};

struct handling {
  runtime& node;
  const envelope& message;
  std::vector<outgoing> sent;
  std::vector<continuation> continuations;
  /// Ids of what is sent; null: new ones.
  std::function<message_id()>* next_id = nullptr;
};

/// What one handling may cause; a loop of messages ends here, and says so.
inline constexpr std::size_t max_messages_per_handling = 10'000;
inline constexpr std::uint16_t max_causation_depth = 64;

/// A handler of `T`, `(const T&)` or `(const T&, context&)`, for any envelope that holds a `T`.
template <any_message T, class F>
[[nodiscard]] std::function<void(const envelope&, context&)> untyped(F function) {
  return [function = std::move(function)](const envelope& message, context& ctx) mutable {
    auto call = [&] {
      if constexpr (std::is_invocable_v<F&, const T&, context&>)
        return function(*message.get_if<T>(), ctx);
      else
        return function(*message.get_if<T>());
    };
    static_assert(std::is_void_v<decltype(call())>,
                  "what a handler of a command or an event returns would be lost: it takes "
                  "(const T&, context&) and dispatches through the context");
    call();
  };
}

/// The end of a time limit; limits may be as long as they like.
[[nodiscard]] inline steady_time deadline_after(steady_time now, std::chrono::milliseconds limit) {
  auto left = std::chrono::floor<std::chrono::milliseconds>(steady_time::max() - now);
  return limit >= left ? steady_time::max() : now + limit;
}

/// A head for what `cause` causes.
[[nodiscard]] envelope_head caused_head(const envelope& cause, wall_time now);

}  // namespace microlith::internal
