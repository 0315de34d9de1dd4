#include <microlith/persistence/internal/append_rules.hpp>

namespace microlith::internal {

std::optional<std::string> problem_with(const append_request& request) {
  if (request.events.size() > max_events_per_append)
    return "an append has at most " + std::to_string(max_events_per_append) + " events, this has " +
           std::to_string(request.events.size()) + ": split it";
  auto too_long = [](const std::string& stream) { return stream.size() > max_stream_name_bytes; };
  auto too_long_text = [] {
    return "a stream name has at most " + std::to_string(max_stream_name_bytes) +
           " bytes: use a shorter key, such as a hash";
  };
  for (const auto& check : request.checks) {
    if (too_long(check.stream))
      return too_long_text();
    if (check.stream.empty())
      return "a check names no stream";
  }
  for (const auto& event : request.events) {
    if (too_long(event.stream))
      return too_long_text();
    if (!event.message)
      return "an event holds no message";
    if (event.message.head().id.empty())
      return "an event has no message id";
  }
  return std::nullopt;
}

append_outcome misused_append(const std::string& why, message_id id) {
  return append_refused{{failure_kind::handler_failed, certainty::not_done,
                         "cannot append to the journal: " + why, id}};
}

}  // namespace microlith::internal
