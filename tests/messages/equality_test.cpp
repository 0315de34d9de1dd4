#include "everything.hpp"

#include <microlith/messages/equality.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace microlith;
using sample::everything;

namespace {

template <class Change>
bool differs(Change change) {
  auto changed = sample::full();
  change(changed);
  return !equal(changed, sample::full()) && !equal(sample::full(), changed) &&
         equal(changed, changed);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(equality)

BOOST_AUTO_TEST_CASE(a_message_equals_its_copy) {
  BOOST_TEST(equal(sample::full(), sample::full()));
  BOOST_TEST(equal(everything{}, everything{}));
}

BOOST_AUTO_TEST_CASE(a_change_of_any_field_is_a_difference) {
  BOOST_TEST(differs([](auto& m) { m.flag = false; }));
  BOOST_TEST(differs([](auto& m) { m.u64 = 0; }));
  BOOST_TEST(differs([](auto& m) { m.f32 = 0.25F; }));
  BOOST_TEST(differs([](auto& m) { m.color = sample::color::red; }));
  BOOST_TEST(differs([](auto& m) { m.text += "x"; }));
  BOOST_TEST(differs([](auto& m) { m.raw.pop_back(); }));
  BOOST_TEST(differs([](auto& m) { m.maybe.reset(); }));
  BOOST_TEST(differs([](auto& m) { m.maybe = "there"; }));
  BOOST_TEST(differs([](auto& m) { m.flags[1] = true; }));
  BOOST_TEST(differs([](auto& m) { m.lines[0].points[0].y = 0; }));
  BOOST_TEST(differs([](auto& m) { m.lines.pop_back(); }));
  BOOST_TEST(differs([](auto& m) { m.by_name["two"] = 2; }));
  BOOST_TEST(differs([](auto& m) { m.by_name["three"] = 3; }));
  BOOST_TEST(differs([](auto& m) { m.by_number = {{-1, "minus"}, {8, "seven"}}; }));
  BOOST_TEST(differs([](auto& m) { m.at += std::chrono::microseconds{1}; }));
  BOOST_TEST(differs([](auto& m) { m.id.low += 1; }));
  BOOST_TEST(differs([](auto& m) { m.password = "other"; }));
  BOOST_TEST(differs([](auto& m) { m.pin = 1U; }));
  BOOST_TEST(differs([](auto& m) { m.nothings.pop_back(); }));
  BOOST_TEST(differs([](auto& m) { m.family.children[0].name = "twig"; }));
}

BOOST_AUTO_TEST_CASE(numbers_are_equal_when_their_bits_are) {
  everything a;
  everything b;
  a.f64 = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(equal(a, a));
  a.f64 = 0.0;
  b.f64 = -0.0;
  BOOST_TEST(!equal(a, b));
}

BOOST_AUTO_TEST_SUITE_END()
