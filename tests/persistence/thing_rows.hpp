#pragma once

// A projection of the sample's things, for tests of what is done with its files.

#include "persistence/samples.hpp"

#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/table.hpp>

#include <cstdint>
#include <string>

namespace sample {

struct thing_row {
  std::uint32_t size = 0;
};
BOOST_DESCRIBE_STRUCT(thing_row, (), (size))

inline constexpr table<std::string, thing_row> things{"things"};

inline projection thing_rows() {
  projection p{"sample.things", 1};
  p.keeps(things);
  p.on<thing_made_event>(
      [](const thing_made_event& e, write_transaction& t) { things.put(t, e.name, {e.size}); });
  return p;
}

}  // namespace sample
