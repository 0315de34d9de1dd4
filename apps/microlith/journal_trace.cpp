#include "microlith/journal_trace.hpp"

#include "microlith/command.hpp"
#include "microlith/event_text.hpp"
#include "microlith/journal_scan.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <unordered_map>

namespace tool {

using namespace microlith;

namespace {

// Deeper ones are drawn at this depth: a line has an end.
constexpr std::size_t max_drawn_depth = 100;

std::string after_text(std::chrono::microseconds after) {
  char text[64];
  auto value = static_cast<double>(after.count());
  if (value < 1e6)
    std::snprintf(text, sizeof text, "+%.3f ms", value / 1e3);
  else
    std::snprintf(text, sizeof text, "+%.3f s", value / 1e6);
  return text;
}

class drawing {
 public:
  explicit drawing(const std::vector<traced_event>& events) : events_{events} {
    for (std::size_t i = 0; i < events.size(); ++i)
      places_.emplace(events[i].id, i);
    for (std::size_t i = 0; i < events.size(); ++i)
      below_[events[i].causation].push_back(i);
    start_ = wall_time::max();
    for (const auto& event : events)
      start_ = std::min(start_, event.time);
    // An id that a node made tells when it was made.
    for (const auto& event : events) {
      if (!event.causation.empty() && !places_.contains(event.causation))
        start_ = std::min(start_, std::max(made(event.causation), event.time - id_time_limit));
    }
  }

  std::vector<std::string> draw() {
    for (const auto& event : events_) {
      if (event.causation.empty())
        subtree(places_.at(event.id), "", "", 0);
      else if (!places_.contains(event.causation) && !drawn_messages_.contains(event.causation))
        outside(event.causation);
    }
    // What is left causes itself in a circle.
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (!drawn_.contains(i))
        subtree(i, "", "", 0);
    }
    return std::move(lines_);
  }

 private:
  static constexpr std::chrono::hours id_time_limit{1};

  static wall_time made(message_id id) { return id.time(); }

  /// A message that is not in the journal, and what it has caused.
  void outside(message_id id) {
    drawn_messages_[id] = true;
    lines_.push_back(to_string(id) + "  " + after_text(std::max(made(id), start_) - start_) +
                     "  (not journaled)");
    children(id, "", 0);
  }

  void children(message_id id, const std::string& indent, std::size_t depth) {
    auto found = below_.find(id);
    if (found == below_.end())
      return;
    const auto& all = found->second;
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool last = i + 1 == all.size();
      subtree(all[i], indent + (last ? "└─ " : "├─ "), indent + (last ? "   " : "│  "), depth + 1);
    }
  }

  void subtree(std::size_t place, const std::string& first, const std::string& indent,
               std::size_t depth) {
    if (drawn_.contains(place))
      return;
    drawn_[place] = true;
    const auto& event = events_[place];
    lines_.push_back(first + std::to_string(event.position) + "  " +
                     after_text(event.time - start_) + "  " + event.text);
    if (depth < max_drawn_depth) {
      children(event.id, indent, depth);
      return;
    }
    deep_.push_back(place);
    if (deep_.size() > 1)
      return;
    // Without recursion: chains are as long as the journal allows.
    for (std::size_t i = 0; i < deep_.size(); ++i) {
      auto found = below_.find(events_[deep_[i]].id);
      if (found == below_.end())
        continue;
      for (auto child : found->second)
        subtree(child, indent + "└─ ", indent, depth);
    }
    deep_.clear();
  }

  const std::vector<traced_event>& events_;
  std::unordered_map<message_id, std::size_t> places_;
  std::map<message_id, std::vector<std::size_t>> below_;
  std::map<message_id, bool> drawn_messages_;
  std::map<std::size_t, bool> drawn_;
  std::vector<std::size_t> deep_;
  wall_time start_;
  std::vector<std::string> lines_;
};

/// Whichever of its ids was given: its own, or that of an event or a command, which the index
/// knows; that of another message is looked for.
result<std::optional<correlation_id>, storage_error> conversation_of(journal_reader& reader,
                                                                     message_id id) {
  std::optional<correlation_id> found;
  auto take = [&](const record_view& record) {
    found = record.correlation;
    return false;
  };
  auto own = reader.read_conversation(correlation_id{id.high, id.low}, 1, take);
  if (!own)
    return own.error();
  for (auto look : {&journal_reader::position_of, &journal_reader::first_of_append}) {
    if (found)
      return found;
    auto position = (reader.*look)(id);
    if (!position)
      return position.error();
    if (*position == 0)
      continue;
    if (auto problem = for_each_event(reader, *position, *position, take))
      return *problem;
  }
  auto problem =
      found ? std::nullopt
            : for_each_event(reader, 1, reader.last_position(), [&](const record_view& record) {
                return (record.causation != id && record.root != id) || take(record);
              });
  if (problem)
    return *problem;
  return found;
}

}  // namespace

std::vector<std::string> draw_trace(const std::vector<traced_event>& events) {
  return drawing{events}.draw();
}

int trace_conversation(const trace_options& options) {
  auto id = message_id::parse(options.id);
  if (!id)
    return complain("'" + print_text(options.id) + "' is no id of 36 characters");
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  auto found = conversation_of(**reader, *id);
  if (!found)
    return complain(found.error());
  const auto& correlation = *found;
  if (!correlation)
    return complain("no event in " + options.data.string() + " belongs to " + options.id);
  event_text text;
  std::vector<traced_event> events;
  boost::json::array json;
  auto read = (*reader)->read_conversation(*correlation, 1, [&](const record_view& r) {
    events.push_back(
        {r.position, r.id, r.causation, r.time, print_text(r.type->name) + "  " + text.body(r)});
    if (options.json)
      json.push_back(text.json(r));
    return true;
  });
  if (!read)
    return complain(read.error());
  if (options.json) {
    std::cout << boost::json::serialize(json) << '\n';
    return finish_output();
  }
  std::cout << "conversation " << to_string(*correlation) << ", " << events.size()
            << (events.size() == 1 ? " event" : " events") << ", from "
            << time_text(events.front().time) << '\n';
  for (const auto& line : draw_trace(events))
    std::cout << line << '\n';
  return finish_output();
}

}  // namespace tool
