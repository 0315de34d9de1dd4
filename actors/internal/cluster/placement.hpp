#pragma once

// Where components run. The cluster file says where they begin; each move is an event in the
// journal, and what the last one of a component says is where it runs, whatever the file says.
//
// An epoch is the number of times that a component has moved. Whoever appends for a component names
// the epoch in which it began it, so that one who was not told of a move changes nothing. Values;
// any thread.

#include <microlith/actors/internal/cluster/cluster_file.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/describe.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace microlith {

struct component_moved_event {
  using message = event<"microlith.component_moved_event">;
  std::string component;
  std::string from;
  std::string to;
  std::uint64_t epoch = 0;  ///< its version in the stream of the component's moves
};
BOOST_DESCRIBE_STRUCT(component_moved_event, (), (component, from, to, epoch))

}  // namespace microlith

namespace microlith::internal {

struct place {
  std::string node;
  std::uint64_t epoch = 0;

  friend bool operator==(const place&, const place&) = default;
};

using placement_table = std::map<std::string, place, std::less<>>;

/// The stream of a component's moves.
[[nodiscard]] std::string placement_stream(std::string_view component);

[[nodiscard]] placement_table placement_of(const cluster_file& file);

/// What the journal adds to that. `note` is told of what a person should know.
[[nodiscard]] result<placement_table, storage_error> placement_of(
    const cluster_file& file, const journal& source,
    const std::function<void(const std::string&)>& note);

}  // namespace microlith::internal
