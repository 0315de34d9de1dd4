#pragma once

// What a bus handle holds: the node's runtime, as seen by the typed front. Free of CAF.
//
// All members may be called from any thread while the node lives, and after it has stopped, when
// every dispatch and wait ends as `stopped`.

#include <microlith/actors/internal/conversations.hpp>
#include <microlith/actors/internal/handling.hpp>
#include <microlith/actors/middleware.hpp>
#include <microlith/actors/statistics.hpp>
#include <microlith/actors/subscription.hpp>

#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <string>

namespace microlith {
class journal;
class projection_rows;
}  // namespace microlith

namespace microlith::internal {

using answer_callback = std::function<void(raw_answer&&)>;

/// A function that serves or listens to one type.
struct handler_definition {
  const message_type* type = nullptr;
  std::string component;
  std::source_location place;
  std::function<void(const envelope&, context&)> run;
  std::string projection;  ///< a query waits until this one has reached its `after`
};

struct missed_events {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

struct live_options {
  std::size_t max_pending = 65'536;  ///< events; past it the subscriber has missed some
  std::function<void(const missed_events&)> on_missed = {};
};

struct decider_definition;

class runtime : public std::enable_shared_from_this<runtime> {
 public:
  struct actors_part;  // everything that includes CAF

  runtime();
  ~runtime();

  /// A head for a message from outside of any handler.
  [[nodiscard]] envelope_head outside_head(message_id id, correlation_id correlation,
                                           const principal& who,
                                           const std::map<std::string, std::string>& headers) const;

  /// From outside of any handler: subject to admission.
  dispatch_result dispatch(bus_kind bus, envelope message);
  [[nodiscard]] raw_answer dispatch_and_wait(bus_kind bus, envelope message, wait_spec spec);
  void dispatch_and_wait(bus_kind bus, envelope message, wait_spec spec, answer_callback then);

  [[nodiscard]] raw_answer wait(bus_kind bus, wait_spec spec);
  void wait(bus_kind bus, wait_spec spec, answer_callback then);

  /// The one receiver of a type on the command or query bus.
  [[nodiscard]] result<subscription, failure> serve(bus_kind bus, handler_definition handler);
  [[nodiscard]] result<subscription, failure> serve(
      std::shared_ptr<const decider_definition> decider);
  /// One of any number of receivers on the event bus.
  [[nodiscard]] subscription listen(handler_definition handler, live_options options);

  void use(bus_kind bus, dispatch_middleware around);
  void use(bus_kind bus, handle_middleware around);

  [[nodiscard]] steady_time steady_now() const;
  [[nodiscard]] wall_time wall_now() const;

  actors_part& actors() { return *actors_; }

 private:
  friend class node_assembly;
  std::unique_ptr<actors_part> actors_;
};

/// True on a thread that runs a handler: there, a blocking wait would stand still.
[[nodiscard]] bool inside_handler();

}  // namespace microlith::internal
