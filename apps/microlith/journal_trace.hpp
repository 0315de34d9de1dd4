#pragma once

// What caused what in one conversation: the events as a tree, with times.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/record.hpp>

#include <boost/json/value.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace tool {

/// An event of a conversation, as far as a trace shows it.
struct traced_event {
  std::uint64_t position = 0;
  microlith::message_id id;
  microlith::message_id causation;
  microlith::wall_time time{};
  std::string text;
};

/// A line a message, below what caused it; messages that are not journaled (commands) are there by
/// their id. Whatever the causes are, cycles too, each event appears once.
[[nodiscard]] std::vector<std::string> draw_trace(const std::vector<traced_event>& events);

struct trace_options {
  std::filesystem::path data;
  std::string id;  ///< of the conversation, or of a message in it
  bool json = false;
};
[[nodiscard]] int trace_conversation(const trace_options& options);

}  // namespace tool
