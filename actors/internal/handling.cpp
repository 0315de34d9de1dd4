// What every handler needs, whoever runs it: the mark on its thread, its failures as values, and
// what becomes of the messages that it sends.

#include <microlith/actors/context.hpp>
#include <microlith/actors/internal/actors_part.hpp>

namespace microlith::internal {

namespace {

thread_local bool in_handler = false;

}  // namespace

failure refused(failure_kind kind, const envelope& message, std::string text) {
  return {.kind = kind,
          .certainty = certainty::not_done,
          .text = std::move(text),
          .message = message.head().id};
}

// What the dispatch middleware of a bus makes of a message; `last` is what comes after all of it.
dispatch_result through_middleware(bus_part& bus, envelope message, const next_dispatch& last) {
  auto id = message.head().id;
  auto type = message.type().name;
  auto around = bus.around_dispatch.get();
  std::size_t next = 0;
  next_dispatch go = [&](envelope passed) -> dispatch_result {
    return next < around->size() ? (*around)[next++](std::move(passed), go)
                                 : last(std::move(passed));
  };
  try {
    return go(std::move(message));
  } catch (...) {
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = "middleware around the dispatch of " + std::string{type} +
                           " threw: " + current_exception_text(),
                   .message = id};
  }
}

handler_scope::handler_scope() : before_{std::exchange(in_handler, true)} {}
handler_scope::~handler_scope() {
  in_handler = before_;
}

bool inside_handler() {
  return in_handler;
}

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

failure handler_threw(const envelope& message, const std::string& component,
                      const std::string& what) {
  std::string text = "the handler of ";
  text += message.type().name;
  if (!component.empty())
    text += " in " + component;
  return {.kind = failure_kind::handler_failed,
          .certainty = certainty::not_done,
          .text = text + " threw: " + what,
          .message = message.head().id};
}

failure past_deadline(const envelope& message) {
  return refused(failure_kind::timeout, message,
                 std::string{message.type().name} +
                     " was past its deadline before work on it began; nothing was done");
}

bool sort_outgoing(runtime::actors_part& node, std::vector<outgoing>& sent, append_job& job,
                   failure& why) {
  for (auto& each : sent) {
    auto& bus = node.bus(each.bus);
    if (bus.has_dispatch_middleware.load(std::memory_order_relaxed) &&
        each.message.type().kind != message_kind::response) {
      auto result = through_middleware(bus, each.message, [&](envelope message) -> dispatch_result {
        each.message = std::move(message);
        return receipt{each.message.head().id, each.message.head().correlation};
      });
      if (!result) {
        why = result.error();
        return false;
      }
    }
    switch (each.message.type().kind) {
      case message_kind::event:
        job.request.events.push_back({std::move(each.message), std::move(each.stream)});
        break;
      case message_kind::rejection:
        job.rejections.push_back(std::move(each.message));
        break;
      default:
        job.then_send.push_back(std::move(each));
    }
  }
  sent.clear();
  return true;
}

envelope_head caused_head(const envelope& cause, wall_time now) {
  const auto& from = cause.head();
  if (from.depth >= max_causation_depth)
    throw std::length_error{"a chain of " + std::to_string(max_causation_depth) +
                            " messages that cause each other ends here: " +
                            std::string{cause.type().name} + " may be causing itself"};
  return {.id = message_id::make(),
          .correlation = from.correlation,
          .causation = from.id,
          .root = from.root,
          .time = now,
          .deadline = from.deadline,
          .depth = static_cast<std::uint16_t>(from.depth + 1),
          .facts = from.facts};
}

}  // namespace microlith::internal
