#include <microlith/persistence/internal/recent_events.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <limits>
#include <map>
#include <vector>

using namespace microlith;
using namespace microlith::internal;

namespace {

constexpr auto everything = std::numeric_limits<std::uint64_t>::max();

recent_event event_at(std::uint64_t position, std::uint64_t stream, std::uint64_t version,
                      message_id append) {
  recent_event event;
  // The tables look at the low halves first: all of them alike makes every lookup a collision.
  event.stream = stream == 0 ? stream_key{} : stream_key{stream << 32, 1};
  event.stream_version = version;
  event.position = position;
  event.id = {position, 7};
  event.append = append;
  return event;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recent_events)

BOOST_AUTO_TEST_CASE(the_last_event_of_a_stream_is_found_and_those_before_it) {
  internal::recent_events events{4};
  events.add(event_at(1, 1, 1, {}));
  events.add(event_at(2, 2, 1, {}));
  events.add(event_at(3, 1, 2, {}));
  const auto* last = events.last_of({std::uint64_t{1} << 32, 1}, everything);
  BOOST_TEST_REQUIRE(last != nullptr);
  BOOST_TEST(last->position == 3U);
  BOOST_TEST(events.before(*last)->position == 1U);
  BOOST_TEST(events.before(*events.before(*last)) == nullptr);
  BOOST_TEST(events.last_of({std::uint64_t{1} << 32, 1}, 2)->position == 1U);
  BOOST_TEST(events.last_of({std::uint64_t{2} << 32, 1}, 1) == nullptr);
  BOOST_TEST(events.last_of({std::uint64_t{3} << 32, 1}, everything) == nullptr);
}

BOOST_AUTO_TEST_CASE(the_events_of_an_append_are_found_by_its_id) {
  internal::recent_events events{1};
  events.add(event_at(1, 1, 1, {9, 9}));
  events.add(event_at(2, 1, 2, {9, 9}));
  events.add(event_at(3, 1, 3, {8, 8}));
  events.add(event_at(4, 1, 4, {}));
  const auto* first = events.first_of_append({9, 9});
  BOOST_TEST_REQUIRE(first != nullptr);
  BOOST_TEST(first->position == 1U);
  BOOST_TEST(events.last_of_append(*first).position == 2U);
  BOOST_TEST(events.first_of_append({8, 8})->position == 3U);
  BOOST_TEST(events.first_of_append({1, 7}) == nullptr);
  BOOST_TEST(events.with_id({4, 7})->position == 4U);
  BOOST_TEST(events.with_id({9, 9}) == nullptr);
}

BOOST_AUTO_TEST_CASE(adding_and_taking_away_agree_with_a_list) {
  BOOST_TEST(rc::check([] {
    internal::recent_events events{2};
    std::vector<recent_event> model;
    auto steps = *rc::gen::inRange(0, 200);
    std::uint64_t appends = 0;
    for (int i = 0; i < steps; ++i) {
      if (*rc::gen::inRange(0, 5) == 0) {
        auto size = *rc::gen::inRange<std::size_t>(0, model.size() + 1);
        events.shorten(size);
        model.resize(size);
        continue;
      }
      if (*rc::gen::inRange(0, 10) == 0)
        events.settle();
      if (!model.empty() && *rc::gen::inRange(0, 10) == 0)
        RC_ASSERT(events.with_id(model.front().id) != nullptr);
      auto stream = *rc::gen::inRange<std::uint64_t>(0, 6);
      auto event = event_at(model.size() + 1, stream, 0, {++appends / 2 + 1, 3});
      // Ids never come back after they were taken away, as in a journal.
      event.id = {appends, 7};
      model.push_back(event);
      events.add(event);
    }
    std::map<std::uint64_t, std::vector<std::uint64_t>> streams;
    for (const auto& event : model) {
      RC_ASSERT(events.with_id(event.id) != nullptr);
      RC_ASSERT(events.with_id(event.id)->position == event.position);
      RC_ASSERT(events.first_of_append(event.append) != nullptr);
      RC_ASSERT(events.first_of_append(event.append)->append == event.append);
      if (!event.stream.empty())
        streams[event.stream.high].push_back(event.position);
    }
    for (const auto& [stream, positions] : streams) {
      const auto* event = events.last_of({stream, 1}, everything);
      for (auto p = positions.rbegin(); p != positions.rend(); ++p, event = events.before(*event)) {
        RC_ASSERT(event != nullptr);
        RC_ASSERT(event->position == *p);
      }
      RC_ASSERT(event == nullptr);
    }
  }));
}

BOOST_AUTO_TEST_SUITE_END()
