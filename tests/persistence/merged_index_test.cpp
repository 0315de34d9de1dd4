#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/merged_index.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <vector>

using namespace microlith;
using namespace microlith::internal;

namespace {

constexpr message_id epoch{1, 2};
constexpr internal::map_size map{.reserve_bytes = std::size_t{1} << 28};

// A few entries each, so that everything is cut somewhere.
constexpr std::size_t slice_bytes = 200;

std::unique_ptr<internal::merged_index> open_index(const std::filesystem::path& path,
                                                   internal::map_size size = map) {
  return std::make_unique<internal::merged_index>(path, epoch, size, false,
                                                  slicing{.bytes = slice_bytes});
}

stream_key key(std::uint64_t number) {
  return {number * 0x9E3779B97F4A7C15ULL, number};
}

/// Events of a few streams, merged a few at a time.
struct writer {
  std::uint64_t position = 0;
  std::map<std::uint64_t, std::vector<std::uint64_t>> streams;

  internal::recent_events events(std::size_t count, std::uint64_t stream_count) {
    internal::recent_events out{count};
    for (std::size_t i = 0; i < count; ++i) {
      auto number = 1 + ++position * 7919 % stream_count;
      auto& positions = streams[number];
      positions.push_back(position);
      recent_event event;
      event.stream = key(number);
      event.stream_version = positions.size();
      event.position = position;
      event.id = {position, 1};
      event.append = {position, 2};
      event.correlation = {position % 3, 3};
      out.add(event);
    }
    return out;
  }

  void check(const internal::merged_index& index) const {
    internal::merged_index::reader reader{index};
    for (const auto& [number, positions] : streams) {
      auto head = reader.head_of(key(number));
      BOOST_REQUIRE(head.has_value());
      BOOST_TEST(head->version == positions.size());
      BOOST_TEST(head->position == positions.back());
      std::vector<std::uint64_t> found;
      reader.positions_of(key(number), 1, std::numeric_limits<std::uint64_t>::max(), 1'000'000,
                          found);
      BOOST_REQUIRE(found == positions);
      BOOST_TEST(index.streams().may_hold(key(number)));
    }
    BOOST_TEST(!reader.head_of(key(999'999)).has_value());
    BOOST_TEST((*reader.append_of({position, 2}) == append_positions{position, position}));
    BOOST_TEST((reader.position_of({1, 1}) == std::optional<std::uint64_t>{1}));
    std::vector<std::uint64_t> conversation;
    reader.conversation({1, 3}, 0, 1'000'000, conversation);
    BOOST_TEST(conversation.size() == (position + 2) / 3);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(merged_index)

BOOST_AUTO_TEST_CASE(runs_are_merged_through_the_levels_and_nothing_is_lost) {
  test::temporary_directory directory;
  auto index = open_index(directory.path());
  writer w;
  // Enough for runs of the third level, with the merging of runs lagging behind now and then.
  for (int i = 0; i < 600; ++i) {
    while (index->crowded())
      BOOST_REQUIRE(index->compact());
    index->merge(w.events(5, 23));
    if (i % 10 < 5)
      (void)index->compact();
    if (i % 100 == 99) {
      w.check(*index);
      index.reset();  // in the middle of merging runs
      index = open_index(directory.path());
      BOOST_TEST(index->checkpoint() == w.position);
    }
  }
  while (index->compact()) {
  }
  w.check(*index);
}

BOOST_AUTO_TEST_CASE(a_part_of_a_stream_is_found_whatever_runs_it_is_in) {
  test::temporary_directory directory;
  auto index = open_index(directory.path());
  writer w;
  for (int i = 0; i < 40; ++i) {
    while (index->crowded())
      BOOST_REQUIRE(index->compact());
    index->merge(w.events(6, 5));
    (void)index->compact();
  }
  internal::merged_index::reader reader{*index};
  BOOST_TEST(rc::check([&] {
    auto number = *rc::gen::inRange<std::uint64_t>(1, 6);
    const auto& all = w.streams[number];
    auto from = *rc::gen::inRange<std::uint64_t>(1, all.size() + 2);
    auto to = *rc::gen::inRange<std::uint64_t>(from, all.size() + 3);
    auto limit = *rc::gen::inRange<std::size_t>(1, 60);
    std::vector<std::uint64_t> expected;
    for (auto version = from; version < to && version <= all.size() && expected.size() < limit;
         ++version)
      expected.push_back(all[version - 1]);
    std::vector<std::uint64_t> found;
    reader.positions_of(key(number), from, to, limit, found);
    RC_ASSERT(found == expected);
  }));
}

BOOST_AUTO_TEST_CASE(a_reader_sees_what_was_there_when_it_was_made) {
  test::temporary_directory directory;
  auto index = open_index(directory.path());
  writer w;
  index->merge(w.events(20, 3));
  internal::merged_index::reader reader{*index};
  auto before = reader.head_of(key(1))->version;
  for (int i = 0; i < 30; ++i) {
    while (index->crowded())
      (void)index->compact();
    index->merge(w.events(20, 3));
  }
  while (index->compact()) {
  }
  BOOST_TEST(reader.head_of(key(1))->version == before);
  reader.reset();
  reader.renew();
  BOOST_TEST(reader.head_of(key(1))->version == w.streams[1].size());
}

BOOST_AUTO_TEST_CASE(ids_that_are_newer_than_all_need_not_be_looked_up) {
  test::temporary_directory directory;
  auto index = open_index(directory.path());
  BOOST_TEST(!index->may_hold({1, 0}));
  writer w;
  index->merge(w.events(10, 3));
  BOOST_TEST(index->may_hold({10, 0}));
  BOOST_TEST(!index->may_hold({11, 0}));
  index.reset();
  index = open_index(directory.path());
  BOOST_TEST(index->may_hold({10, 0}));
  BOOST_TEST(!index->may_hold({11, 0}));
}

BOOST_AUTO_TEST_CASE(the_index_of_another_journal_is_not_opened) {
  test::temporary_directory directory;
  open_index(directory.path()).reset();
  BOOST_CHECK_THROW((internal::merged_index{directory.path(), {3, 4}, map, false}), index_unusable);
}

BOOST_AUTO_TEST_CASE(a_merge_that_failed_half_way_is_done_again) {
  test::temporary_directory directory;
  writer w;
  auto first = w.events(50, 7);
  auto second = w.events(2000, 7);
  {
    constexpr std::size_t little = std::size_t{256} << 10;
    auto index = open_index(directory.path(), {little, little});
    index->merge(first);
    for (int attempt = 0; attempt < 2; ++attempt) {
      BOOST_CHECK_EXCEPTION(index->merge(second), lmdb_error,
                            [](const lmdb_error& error) { return error.out_of_space(); });
      // Nothing of it shows but ids, and how far they may reach.
      BOOST_TEST(index->checkpoint() == 50U);
      BOOST_TEST(index->reach() == 2050U);
      internal::merged_index::reader reader{*index};
      BOOST_TEST(reader.head_of(key(1))->version < w.streams[1].size());
      std::vector<std::uint64_t> conversation;
      reader.conversation({1, 3}, 0, 1'000'000, conversation);
      for (std::size_t i = 0; i < conversation.size(); ++i)
        BOOST_REQUIRE(conversation[i] == 1 + 3 * i);
    }
  }
  // As after the end of the process, with room.
  auto index = open_index(directory.path());
  BOOST_TEST(index->checkpoint() == 50U);
  BOOST_TEST(index->reach() == 2050U);
  index->merge(second);
  BOOST_TEST(index->checkpoint() == 2050U);
  w.check(*index);
}

BOOST_AUTO_TEST_CASE(the_map_grows_with_the_index) {
  test::temporary_directory directory;
  auto index = open_index(directory.path(), {std::size_t{256} << 10, std::size_t{64} << 20});
  writer w;
  for (int i = 0; i < 20; ++i) {
    index->merge(w.events(500, 1000));
    while (index->compact()) {
    }
  }
  w.check(*index);
}

BOOST_AUTO_TEST_CASE(an_index_agrees_with_a_few_maps) {
  BOOST_TEST(rc::check([] {
    test::temporary_directory directory;
    auto index = open_index(directory.path());
    std::map<std::uint64_t, std::vector<std::uint64_t>> streams;
    std::map<std::uint64_t, std::vector<std::uint64_t>> conversations;
    std::map<std::uint64_t, append_positions> appends;
    std::uint64_t position = 0;
    std::uint64_t append = 0;
    auto steps = *rc::gen::inRange(1, 40);
    for (int step = 0; step < steps; ++step) {
      auto what = *rc::gen::inRange(0, 8);
      if (what == 0) {
        index.reset();  // in the middle of whatever it was at
        index = open_index(directory.path());
      } else if (what == 1) {
        (void)index->compact();
      } else {
        while (index->crowded())
          RC_ASSERT(index->compact());
        auto count = *rc::gen::inRange<std::size_t>(1, 12);
        recent_events events{count};
        for (std::size_t i = 0; i < count; ++i) {
          ++position;
          bool same_append = i > 0 && *rc::gen::inRange(0, 2) == 0;
          append += same_append ? 0 : 1;
          appends.try_emplace(append, append_positions{position, position}).first->second.last =
              position;
          auto stream = *rc::gen::inRange<std::uint64_t>(0, 9);
          auto talk = *rc::gen::inRange<std::uint64_t>(1, 5);
          conversations[talk].push_back(position);
          recent_event event;
          event.position = position;
          event.id = {position, 1};
          event.append = {append, 2};
          event.correlation = {talk, 3};
          if (stream != 0) {  // otherwise it is of none
            streams[stream].push_back(position);
            event.stream = key(stream);
            event.stream_version = streams[stream].size();
          }
          events.add(event);
        }
        index->merge(events);
      }
    }
    RC_ASSERT(index->checkpoint() == position);
    internal::merged_index::reader reader{*index};
    for (std::uint64_t stream = 1; stream < 9; ++stream) {
      const auto& expected = streams[stream];
      auto head = reader.head_of(key(stream));
      RC_ASSERT(head.has_value() == !expected.empty());
      RC_ASSERT(expected.empty() || index->streams().may_hold(key(stream)));
      if (head && !expected.empty()) {
        RC_ASSERT(head->version == expected.size());
        RC_ASSERT(head->position == expected.back());
      }
      auto from = *rc::gen::inRange<std::uint64_t>(1, expected.size() + 2);
      auto to = *rc::gen::inRange<std::uint64_t>(from, expected.size() + 3);
      auto limit = *rc::gen::inRange<std::size_t>(1, expected.size() + 2);
      std::vector<std::uint64_t> part;
      for (auto version = from; version < to && version <= expected.size() && part.size() < limit;
           ++version)
        part.push_back(expected[version - 1]);
      std::vector<std::uint64_t> found;
      reader.positions_of(key(stream), from, to, limit, found);
      RC_ASSERT(found == part);
    }
    for (const auto& [id, positions] : appends) {
      RC_ASSERT((reader.append_of({id, 2}) == std::optional{positions}));
      RC_ASSERT(index->may_hold({id, 2}));
    }
    for (std::uint64_t at = 1; at <= position; ++at)
      RC_ASSERT((reader.position_of({at, 1}) == std::optional{at}));
    RC_ASSERT(!reader.position_of({position + 1, 1}));
    for (const auto& [talk, positions] : conversations) {
      auto after = *rc::gen::inRange<std::uint64_t>(0, position + 1);
      std::vector<std::uint64_t> expected;
      std::copy_if(positions.begin(), positions.end(), std::back_inserter(expected),
                   [&](auto at) { return at > after; });
      std::vector<std::uint64_t> found;
      reader.conversation({talk, 3}, after, 1'000'000, found);
      RC_ASSERT(found == expected);
    }
  }));
}

BOOST_AUTO_TEST_SUITE_END()
