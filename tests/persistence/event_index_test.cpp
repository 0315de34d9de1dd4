#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/event_index.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace {

using namespace microlith;
using internal::recent_event;

constexpr std::size_t threshold = 20'000;

/// What the appending thread does; false where it may not go on.
bool append_one(internal::event_index& index, std::uint64_t position, std::string& why) {
  if (auto problem = index.make_room()) {
    why = *problem;
    return false;
  }
  {
    internal::event_index::batch batch{index};
    recent_event event;
    event.position = position;
    event.stream = {position, 1};
    event.stream_version = 1;
    event.id = {position, 2};
    event.correlation = {position, 3};
    batch.stage(event);
    batch.settle();
  }
  index.committed(position);
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(event_index)

BOOST_AUTO_TEST_CASE(where_nothing_can_be_merged_appends_end_at_twice_the_threshold) {
  test::temporary_directory directory;
  // Enough for its tables, and not for what is to be merged.
  constexpr std::size_t no_room_bytes = std::size_t{1} << 20;
  internal::event_index index{{.directory = directory.path(),
                               .epoch = message_id{1, 2},
                               .map = {no_room_bytes, no_room_bytes},
                               .sync = false,
                               .merge_threshold = threshold,
                               .merge_in_background = true,
                               .on_merged = {}},
                              0};
  index.start(0);
  std::uint64_t position = 0;
  std::string why;
  while (position < 4 * threshold && append_one(index, position + 1, why))
    ++position;
  BOOST_TEST(position == 2 * threshold);
  BOOST_TEST(
      why.find("cannot merge the index in " + directory.path().string()) != std::string::npos, why);
  // What is in memory is found all the same.
  BOOST_TEST(index.position_of(message_id{1, 2}).value() == 1U);
  BOOST_TEST(index.position_of(message_id{position, 2}).value() == position);
}

BOOST_AUTO_TEST_SUITE_END()
