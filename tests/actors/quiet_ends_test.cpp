#include <microlith/actors/internal/quiet_ends.hpp>

#include <boost/test/unit_test.hpp>

namespace {

using microlith::correlation_id;
using microlith::message_id;
using microlith::steady_time;

microlith::internal::quiet_end end_of(std::uint64_t number) {
  return {.correlation = {number, 0},
          .event = {number, 1},
          .position = number,
          .ended_at = steady_time{std::chrono::seconds{number}}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quiet_ends)

BOOST_AUTO_TEST_CASE(one_is_found_by_its_conversation_and_taken_once) {
  microlith::internal::quiet_ends ends;
  for (std::uint64_t number : {1, 2, 3})
    ends.add(end_of(number));
  BOOST_TEST(ends.contains({2, 0}));
  auto taken = ends.take({2, 0});
  BOOST_TEST_REQUIRE(taken.has_value());
  BOOST_TEST((taken->event == message_id{2, 1}));
  BOOST_TEST(taken->position == 2U);
  BOOST_TEST(!ends.contains({2, 0}));
  BOOST_TEST(!ends.take({2, 0}).has_value());
  BOOST_TEST(ends.size() == 2U);
}

BOOST_AUTO_TEST_CASE(one_is_found_in_whatever_order_conversations_end) {
  microlith::internal::quiet_ends ends;
  for (std::uint64_t number : {5, 9, 7})
    ends.add(end_of(number));
  for (std::uint64_t number : {5, 7, 9})
    BOOST_TEST(ends.contains({number, 0}));
  for (std::uint64_t number : {4, 6, 8, 10})
    BOOST_TEST(!ends.contains({number, 0}));
}

BOOST_AUTO_TEST_CASE(the_oldest_is_the_one_that_ended_first) {
  microlith::internal::quiet_ends ends;
  BOOST_TEST(ends.oldest() == nullptr);
  for (std::uint64_t number : {5, 9, 7})
    ends.add(end_of(number));
  BOOST_TEST(ends.oldest()->position == 5U);
  BOOST_TEST(ends.take_oldest().position == 5U);
  BOOST_TEST(ends.take({9, 0}).has_value());
  BOOST_TEST(ends.oldest()->position == 7U);
  BOOST_TEST(ends.take_oldest().position == 7U);
  BOOST_TEST(ends.oldest() == nullptr);
  BOOST_TEST(ends.size() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
