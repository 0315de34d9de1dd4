#include <microlith/messages/internal/rfc3339.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <limits>

using microlith::internal::from_rfc3339;
using microlith::internal::tick;
using microlith::internal::to_rfc3339;

namespace {

constexpr tick second{1, 1};
constexpr tick millisecond{1, 1000};
constexpr tick nanosecond{1, 1'000'000'000};
constexpr tick day{86'400, 1};
constexpr tick frame{1, 30};
constexpr auto never = std::numeric_limits<std::int64_t>::max();

}  // namespace

BOOST_AUTO_TEST_SUITE(rfc3339)

BOOST_AUTO_TEST_CASE(the_digits_after_the_point_are_those_of_the_unit) {
  BOOST_TEST(to_rfc3339(0, second).value() == "1970-01-01T00:00:00Z");
  BOOST_TEST(to_rfc3339(1, millisecond).value() == "1970-01-01T00:00:00.001Z");
  BOOST_TEST(to_rfc3339(1, nanosecond).value() == "1970-01-01T00:00:00.000000001Z");
  BOOST_TEST(to_rfc3339(19'782, day).value() == "2024-02-29T00:00:00Z");
}

BOOST_AUTO_TEST_CASE(times_before_1970_count_forward_within_their_second) {
  BOOST_TEST(to_rfc3339(-1, millisecond).value() == "1969-12-31T23:59:59.999Z");
  BOOST_TEST(from_rfc3339("1969-12-31T23:59:59.999Z", millisecond).value() == -1);
}

BOOST_AUTO_TEST_CASE(years_0_to_9999_have_a_text) {
  BOOST_TEST(to_rfc3339(-62'167'219'200, second).value() == "0000-01-01T00:00:00Z");
  BOOST_TEST(to_rfc3339(253'402'300'799, second).value() == "9999-12-31T23:59:59Z");
  BOOST_TEST(!to_rfc3339(-62'167'219'201, second).has_value());
  BOOST_TEST(!to_rfc3339(253'402'300'800, second).has_value());
  for (auto unit : {second, millisecond, day}) {
    BOOST_TEST(!to_rfc3339(never, unit).has_value());
    BOOST_TEST(!to_rfc3339(-never - 1, unit).has_value());
  }
  BOOST_TEST(to_rfc3339(never, nanosecond).value() == "2262-04-11T23:47:16.854775807Z");
  BOOST_TEST(to_rfc3339(-never - 1, nanosecond).value() == "1677-09-21T00:12:43.145224192Z");
}

BOOST_AUTO_TEST_CASE(a_unit_that_no_number_of_digits_holds_has_none) {
  BOOST_TEST(!to_rfc3339(30, frame).has_value());
  BOOST_TEST(!from_rfc3339("1970-01-01T00:00:01Z", frame).has_value());
}

BOOST_AUTO_TEST_CASE(any_nanosecond_comes_back) {
  BOOST_TEST(rc::check("write, then read", [](std::int64_t ticks) {
    auto text = to_rfc3339(ticks, nanosecond);
    RC_ASSERT(text.has_value());
    RC_ASSERT(from_rfc3339(*text, nanosecond) == ticks);
  }));
}

BOOST_AUTO_TEST_CASE(the_first_and_the_last_nanosecond_come_back) {
  for (auto ticks : {-never - 1, never})
    BOOST_TEST(from_rfc3339(to_rfc3339(ticks, nanosecond).value(), nanosecond).value() == ticks);
}

BOOST_AUTO_TEST_CASE(fewer_digits_than_the_unit_has_are_read) {
  BOOST_TEST(from_rfc3339("1970-01-01T00:00:01Z", millisecond).value() == 1000);
  BOOST_TEST(from_rfc3339("1970-01-01T00:00:01.5Z", millisecond).value() == 1500);
}

BOOST_AUTO_TEST_CASE(anything_else_is_not_read) {
  for (std::string_view text :
       {"", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00+00:00", "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.0001Z",
        "1970-01-01T00:00:00ZZ", "-970-01-01T00:00:00Z", "19700101T000000Z"})
    BOOST_TEST(!from_rfc3339(text, millisecond).has_value(), text);
}

BOOST_AUTO_TEST_CASE(a_time_that_the_unit_cannot_count_to_is_not_read) {
  BOOST_TEST(!from_rfc3339("9999-12-31T23:59:59Z", nanosecond).has_value());
  BOOST_TEST(!from_rfc3339("0000-01-01T00:00:00Z", nanosecond).has_value());
  BOOST_TEST(!from_rfc3339("1970-01-01T00:00:01Z", day).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
