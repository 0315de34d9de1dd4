#include <microlith/actors/internal/cluster/placement.hpp>
#include <microlith/persistence/record.hpp>

#include <optional>

namespace microlith::internal {

namespace {

result<std::optional<component_moved_event>, storage_error> last_move_of(
    const std::string& component, const journal& source) {
  auto stream = placement_stream(component);
  auto version = source.stream_version(stream);
  if (!version)
    return version.error();
  std::optional<component_moved_event> found;
  std::optional<storage_error> wrong;
  if (*version == 0)
    return found;
  auto read = source.read_stream(stream, *version, {.events = 1}, [&](const record_view& record) {
    if (auto moved = decode<component_moved_event>(record.body))
      found = std::move(*moved);
    else
      wrong =
          storage_error{storage_error_kind::damaged,
                        "cannot read where " + component + " runs: " + to_string(moved.error()) +
                            "; a newer program has moved it: run that one",
                        record.position};
    return false;
  });
  if (!read)
    return read.error();
  if (wrong)
    return *wrong;
  if (found)
    found->epoch = *version;
  return found;
}

}  // namespace

std::string placement_stream(std::string_view component) {
  return "microlith.placement/" + std::string{component};
}

placement_table placement_of(const cluster_file& file) {
  placement_table table;
  for (const auto& [name, node] : file.nodes)
    for (const auto& component : node.hosts)
      table[component] = {name, 0};
  return table;
}

result<placement_table, storage_error> placement_of(
    const cluster_file& file, const journal& source,
    const std::function<void(const std::string&)>& note) {
  auto table = placement_of(file);
  for (auto& [component, at] : table) {
    if (component == journal_component)
      continue;
    auto moved = last_move_of(component, source);
    if (!moved)
      return moved.error();
    if (!*moved)
      continue;
    at.epoch = (*moved)->epoch;
    const auto& to = (*moved)->to;
    if (!file.nodes.contains(to))
      note("component " + component + " was moved to node " + to +
           ", which the cluster file has no longer: it runs on node " + at.node +
           ", as the file says");
    else if (to != at.node)
      note("component " + component + " runs on node " + to + ", where it was moved; the cluster " +
           "file begins with node " + at.node);
    if (file.nodes.contains(to))
      at.node = to;
  }
  return table;
}

}  // namespace microlith::internal
