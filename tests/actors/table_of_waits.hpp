#pragma once

// A table of conversations by itself, with waits that note how they end.

#include "samples.hpp"

#include <microlith/actors/internal/conversations.hpp>

namespace samples {

using namespace microlith;
using namespace microlith::internal;
using namespace std::chrono_literals;

inline constexpr steady_time start{1h};

struct outcome {
  int ended = 0;
  std::optional<raw_answer> answer;

  [[nodiscard]] bool has_message() const {
    return answer && std::holds_alternative<envelope>(*answer);
  }
  [[nodiscard]] bool is_accepted() const {
    return answer && std::holds_alternative<accepted>(*answer);
  }
  [[nodiscard]] std::optional<failure_kind> failed() const {
    if (!answer || !std::holds_alternative<failure>(*answer))
      return std::nullopt;
    return std::get<failure>(*answer).kind;
  }
};

class noted_wait final : public pending_wait {
 public:
  explicit noted_wait(outcome& out) : out_{out} {}
  void complete(raw_answer&& answer, std::unique_ptr<pending_wait>) override {
    ++out_.ended;
    out_.answer = std::move(answer);
  }

 private:
  outcome& out_;
};

inline std::unique_ptr<pending_wait> wait_for(correlation_id conversation, outcome& out,
                                              steady_time deadline = start + 5s) {
  auto wait = std::make_unique<noted_wait>(out);
  wait->correlation = conversation;
  wait->types.push_back(&type_of<work_done>());
  wait->deadline = deadline;
  wait->limit = 5s;
  return wait;
}

inline envelope event_in(correlation_id conversation, message_id root) {
  envelope_head head;
  head.id = message_id::make();
  head.correlation = conversation;
  head.root = root;
  head.causation = root;
  head.depth = 1;
  return {head, work_done{1}};
}

// An event from outside, its own cause.
inline envelope outside_event(correlation_id conversation, message_id id, std::uint64_t position) {
  envelope_head head;
  head.id = id;
  head.correlation = conversation;
  head.root = id;
  envelope event{head, work_done{1}};
  event.position = position;
  return event;
}

inline failure failed_handling(message_id message) {
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = "failed",
          .message = message};
}

struct table_of_waits {
  explicit table_of_waits(conversation_limits limits = {}, recall_event recall = {})
      : talks{limits, counters, [this](steady_time when) { armed = std::min(armed, when); },
              [this](const envelope&) { ++late; }, std::move(recall)} {}

  statistics_counters counters;
  steady_time armed = steady_time::max();
  int late = 0;
  conversations talks;
};

// The same happens in two tables; in the second one the dispatch is opened before its wait comes,
// which makes a slot of it.
struct both_tables {
  table_of_waits alone;
  table_of_waits with_slot;
  template <class F>
  void each(F f) {
    f(alone, 0U);
    f(with_slot, 1U);
  }
};

struct two_outcomes {
  std::array<outcome, 2> out;
  [[nodiscard]] bool same() const {
    return out[0].ended == out[1].ended && out[0].failed() == out[1].failed() &&
           out[0].has_message() == out[1].has_message() &&
           out[0].is_accepted() == out[1].is_accepted();
  }
};

}  // namespace samples
