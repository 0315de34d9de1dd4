#pragma once

// A projection with two tables, which counts the sample's things: for tests of its store.

#include "persistence/samples.hpp"

#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/table.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>

namespace sample {

struct thing_count {
  std::uint64_t made = 0;
  std::uint64_t last_position = 0;
};
BOOST_DESCRIBE_STRUCT(thing_count, (), (made, last_position))

inline constexpr table<std::string, thing_count> counts{"things"};
inline constexpr table<std::tuple<std::uint32_t, std::string>, thing_count> counts_by_size{
    "by_size"};

/// An event that says that "unbreakable" is broken cannot be applied.
inline projection thing_counts(std::uint16_t version = 1) {
  projection p{"things", version};
  p.keeps(counts, counts_by_size);
  p.on<thing_made_event>(
      [](const thing_made_event& e, const event_info& info, write_transaction& t) {
        auto row = counts.get(t, e.name).value_or(thing_count{});
        ++row.made;
        row.last_position = info.position;
        counts.put(t, e.name, row);
        counts_by_size.put(t, {e.size, e.name}, row);
      });
  p.on<thing_broken_event>([](const thing_broken_event& e, write_transaction& t) {
    if (e.name == "unbreakable")
      throw std::runtime_error{"it cannot break"};
    counts.erase(t, e.name);
  });
  return p;
}

}  // namespace sample
