#include "everything.hpp"

#include <microlith/messages/describe.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;

namespace {

struct mark {};

// A base that is not described is no field that was left out.
struct marked : mark {
  int number = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(marked, (), (number, text))

}  // namespace

BOOST_AUTO_TEST_SUITE(describe)

BOOST_AUTO_TEST_CASE(fields_come_in_the_order_of_their_description) {
  std::string names;
  all_fields<sample::line>([&](auto field) {
    names += std::string{field.name} + ' ';
    return true;
  });
  BOOST_TEST(names == "label points ");
  static_assert(field_count<sample::line> == 2 && field_count<sample::nothing> == 0);
}

BOOST_AUTO_TEST_CASE(a_base_that_is_not_described_is_no_field) {
  static_assert(field_count<marked> == 2);
  static_assert(!internal::leaves_a_field_out<marked>());
}

BOOST_AUTO_TEST_CASE(the_walk_over_fields_ends_when_told_to) {
  int seen = 0;
  bool all = all_fields<sample::everything>([&](auto) { return ++seen < 3; });
  BOOST_TEST(!all);
  BOOST_TEST(seen == 3);
}

BOOST_AUTO_TEST_CASE(every_field_type_has_its_shape) {
  static_assert(shape_of<bool> == shape::boolean);
  static_assert(shape_of<std::uint8_t> == shape::integer);
  static_assert(shape_of<long> == shape::integer);
  static_assert(shape_of<float> == shape::real);
  static_assert(shape_of<sample::color> == shape::enumeration);
  static_assert(shape_of<std::string> == shape::text);
  static_assert(shape_of<bytes> == shape::byte_string);
  static_assert(shape_of<std::vector<std::uint8_t>> == shape::list);
  static_assert(shape_of<std::map<std::string, int>> == shape::map);
  static_assert(shape_of<std::chrono::sys_days> == shape::time);
  static_assert(shape_of<std::chrono::hours> == shape::duration);
  static_assert(shape_of<correlation_id> == shape::id);
  static_assert(shape_of<secret<int>> == shape::secret);
  static_assert(shape_of<sample::tree> == shape::structure);
}

BOOST_AUTO_TEST_CASE(what_cannot_travel_has_none) {
  using microlith::internal::classify;
  static_assert(classify<char>() == shape::unsupported);
  static_assert(classify<wchar_t>() == shape::unsupported);
  static_assert(classify<int*>() == shape::unsupported);
  static_assert(classify<long double>() == shape::unsupported);
  static_assert(classify<std::string_view>() == shape::unsupported);
  static_assert(classify<const char*>() == shape::unsupported);
  static_assert(classify<std::chrono::duration<double>>() == shape::unsupported);
  static_assert(classify<std::chrono::steady_clock::time_point>() == shape::unsupported);
  static_assert(classify<message_kind>() == shape::unsupported);
}

BOOST_AUTO_TEST_CASE(enumerators_have_names) {
  BOOST_TEST(enumerator_name(sample::color::blue) == "blue");
  BOOST_TEST(enumerator_name(sample::color{3}) == "");
  BOOST_TEST((enumerator_named<sample::color>("green") == sample::color::green));
  BOOST_TEST(!enumerator_named<sample::color>("pink").has_value());
}

BOOST_AUTO_TEST_CASE(a_type_is_called_by_its_wire_name_or_its_c_plus_plus_name) {
  BOOST_TEST(type_name<sample::everything>() == "sample.everything");
  BOOST_TEST(type_name<sample::line>() == "sample::line");
}

BOOST_AUTO_TEST_SUITE_END()
