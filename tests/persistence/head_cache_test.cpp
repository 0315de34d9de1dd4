#include <microlith/persistence/internal/head_cache.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith::internal;

BOOST_AUTO_TEST_SUITE(head_cache)

BOOST_AUTO_TEST_CASE(the_newest_head_of_a_stream_is_kept_once) {
  microlith::internal::head_cache cache{4};  // one set
  for (std::uint64_t version = 1; version <= 9; ++version)
    cache.put({1, 1}, {version, version * 10});
  for (std::uint64_t other = 2; other <= 4; ++other)
    cache.put({other, other}, {other, 0});
  BOOST_TEST_REQUIRE(cache.find({1, 1}) != nullptr);
  BOOST_TEST(cache.find({1, 1})->version == 9U);
  BOOST_TEST(cache.find({1, 1})->position == 90U);
}

BOOST_AUTO_TEST_CASE(the_one_written_longest_ago_makes_room) {
  microlith::internal::head_cache cache{4};
  for (std::uint64_t stream = 1; stream <= 4; ++stream)
    cache.put({stream, 0}, {stream, 0});
  cache.put({1, 0}, {11, 0});
  cache.put({5, 0}, {5, 0});
  BOOST_TEST(cache.find({2, 0}) == nullptr);
  BOOST_TEST(cache.find({1, 0})->version == 11U);
  BOOST_TEST(cache.find({5, 0})->version == 5U);
  BOOST_TEST(cache.find({6, 0}) == nullptr);
}

BOOST_AUTO_TEST_CASE(what_it_holds_stays_while_it_becomes_larger) {
  constexpr std::uint64_t streams = 20'000;
  microlith::internal::head_cache cache{streams * 4};
  auto key = [](std::uint64_t number) {
    return stream_key{number * 0x9E3779B97F4A7C15ULL >> 20, number};
  };
  for (std::uint64_t i = 1; i <= streams; ++i)
    cache.put(key(i), {i, i});
  for (std::uint64_t i = 1; i <= streams; i += 2)
    cache.put(key(i), {i + 1, i});
  std::uint64_t forgotten = 0;
  for (std::uint64_t i = 1; i <= streams; ++i) {
    const auto* head = cache.find(key(i));
    if (head == nullptr)
      ++forgotten;
    else
      BOOST_TEST(head->version == i + i % 2);
  }
  // Sets that many streams share have forgotten some by the time that there are more.
  BOOST_TEST(forgotten < streams / 16);
}

BOOST_AUTO_TEST_SUITE_END()
