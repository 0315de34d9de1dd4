#include "everything.hpp"

#include <microlith/messages/secret.hpp>

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <sstream>

using namespace microlith;

namespace {

struct plain {
  std::string text;
  std::vector<sample::line> lines;
};
BOOST_DESCRIBE_STRUCT(plain, (), (text, lines))

struct inner {
  std::optional<secret<int>> pin;
};
BOOST_DESCRIBE_STRUCT(inner, (), (pin))

struct outer {
  std::map<std::string, std::vector<inner>> by_name;
};
BOOST_DESCRIBE_STRUCT(outer, (), (by_name))

struct recursive {
  std::vector<recursive> more;
  secret<std::string> word;
};
BOOST_DESCRIBE_STRUCT(recursive, (), (more, word))

}  // namespace

// Named as the file; inside it, `secret` is the suite.
BOOST_AUTO_TEST_SUITE(secret)

BOOST_AUTO_TEST_CASE(a_secret_is_made_from_what_its_value_is_made_from) {
  microlith::secret<std::string> from_literal = "open sesame";
  microlith::secret<std::string> from_string = std::string{"open sesame"};
  BOOST_TEST((from_literal == from_string));
  BOOST_TEST(from_literal.reveal() == "open sesame");
  BOOST_TEST((sample::everything{.password = "x"}.password.reveal() == "x"));
}

BOOST_AUTO_TEST_CASE(a_secret_does_not_turn_into_its_value_by_itself) {
  static_assert(!std::is_convertible_v<microlith::secret<std::string>, std::string>);
  static_assert(!std::is_constructible_v<std::string_view, microlith::secret<std::string>>);
}

BOOST_AUTO_TEST_CASE(a_stream_sees_stars) {
  std::ostringstream out;
  out << microlith::secret<std::string>{"hunter2"};
  BOOST_TEST(out.str() == "***");
}

BOOST_AUTO_TEST_CASE(secrets_are_equal_when_their_values_are) {
  using word = microlith::secret<std::string>;
  BOOST_TEST((word{"abc"} == word{"abc"}));
  BOOST_TEST((word{"abc"} != word{"abd"}));
  BOOST_TEST((word{"abc"} != word{"xbc"}));
  BOOST_TEST((word{"abc"} != word{"ab"}));
  BOOST_TEST((word{} == word{""}));
  BOOST_TEST((microlith::secret<int>{4} == microlith::secret<int>{4}));
  BOOST_TEST((microlith::secret<int>{4} != microlith::secret<int>{5}));
}

BOOST_AUTO_TEST_CASE(what_was_moved_from_is_wiped_even_where_moving_copies) {
  microlith::secret<std::string> here = "short";
  const char* inside = here.reveal().data();  // a short string lies in the object itself
  auto there = std::move(here);
  BOOST_TEST(std::memcmp(inside, "short", 5) != 0);
  BOOST_TEST(there.reveal() == "short");
  microlith::secret<int> number = 42;
  auto taken = std::move(number);
  BOOST_TEST(number.reveal() == 0);
  BOOST_TEST(taken.reveal() == 42);
}

BOOST_AUTO_TEST_CASE(the_memory_of_a_secret_is_wiped_when_it_ends) {
  alignas(
      microlith::secret<std::string>) unsigned char room[sizeof(microlith::secret<std::string>)];
  auto* word = new (room) microlith::secret<std::string>{"sesame"};
  BOOST_TEST(
      (std::search(std::begin(room), std::end(room), "sesame", "sesame" + 6) != std::end(room)));
  word->~secret();
  BOOST_TEST(
      (std::search(std::begin(room), std::end(room), "sesame", "sesame" + 6) == std::end(room)));
}

BOOST_AUTO_TEST_CASE(assignment_keeps_the_value_and_survives_itself) {
  microlith::secret<std::string> left = "one";
  microlith::secret<std::string> right = "a longer one that lies on the heap";
  left = right;
  BOOST_TEST((left == right));
  auto& alias = left;
  left = alias;
  BOOST_TEST((left == right));
  left = std::move(right);
  BOOST_TEST(left.reveal() == "a longer one that lies on the heap");
}

BOOST_AUTO_TEST_CASE(a_secret_is_found_wherever_it_is) {
  static_assert(holds_secret<sample::everything>);
  static_assert(holds_secret<inner>);
  static_assert(holds_secret<outer>);
  static_assert(holds_secret<recursive>);
  static_assert(!holds_secret<plain>);
  static_assert(!holds_secret<sample::tree>);
}

BOOST_AUTO_TEST_SUITE_END()
