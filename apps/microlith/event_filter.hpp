#pragma once

// Which events a command is about: options of the command line, and the test of a record against
// them. Values; any thread.

#include <microlith/persistence/record.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace tool {

struct event_filter {
  std::uint64_t from = 1;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
  std::string stream;  ///< empty: any; with a `*` at the end: those that begin so
  std::string type;    ///< likewise
  std::optional<microlith::correlation_id> correlation;
  std::optional<microlith::wall_time> since;
  std::optional<microlith::wall_time> until;

  /// Positions are not looked at: they say where to read.
  [[nodiscard]] bool takes(const microlith::record_view& record) const;
};

/// Adds the options; they are in `to` when the command line is parsed.
void add_filter_options(CLI::App& command, event_filter& to);

/// A point in time ("2024-02-29T12:00:00Z", "2024-02-29"), or a time before now ("90s", "15min",
/// "2h", "3d").
[[nodiscard]] std::optional<microlith::wall_time> parse_moment(std::string_view text,
                                                               microlith::wall_time now);

}  // namespace tool
