#include <microlith/messages/outcome.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;

namespace {

struct yes {
  int value = 0;
};
struct no {};

template <class Answer>
std::string told(const Answer& value) {
  return match(
      value, [](const yes& y) { return "yes " + std::to_string(y.value); },
      [](const no&) { return std::string{"no"}; },
      [](const failure& why) { return to_string(why); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outcome)

BOOST_AUTO_TEST_CASE(match_calls_the_handler_of_what_an_answer_holds) {
  BOOST_TEST(told(answer<yes, no>{yes{7}}) == "yes 7");
  BOOST_TEST(told(answer<yes, no>{no{}}) == "no");
  BOOST_TEST(told(answer<yes, no>{failure{.kind = failure_kind::timeout,
                                          .certainty = certainty::unknown,
                                          .text = "no answer within 5000 ms",
                                          .message = {}}}) ==
             "timeout (unknown): no answer within 5000 ms");
}

BOOST_AUTO_TEST_CASE(match_works_on_a_plain_variant) {
  BOOST_TEST(told(std::variant<no, yes, failure>{yes{1}}) == "yes 1");
}

BOOST_AUTO_TEST_CASE(match_may_use_one_handler_for_several_alternatives) {
  answer<yes, no> value{no{}};
  BOOST_TEST(match(
      value, [](const failure&) { return false; }, [](const auto&) { return true; }));
}

BOOST_AUTO_TEST_CASE(get_if_finds_only_what_is_there) {
  answer<yes, no> value{yes{3}};
  BOOST_REQUIRE(value.get_if<yes>() != nullptr);
  BOOST_TEST(value.get_if<yes>()->value == 3);
  BOOST_TEST((value.get_if<no>() == nullptr));
  BOOST_TEST(!value.failed());
  BOOST_TEST((answer<yes>{failure{}}.failed()));
}

BOOST_AUTO_TEST_CASE(an_answer_starts_without_a_position) {
  BOOST_TEST((answer<yes>{yes{}}.position) == 0U);
}

BOOST_AUTO_TEST_CASE(every_kind_of_failure_has_a_name_of_its_own) {
  std::vector<std::string_view> names;
  for (auto kind : {failure_kind::timeout, failure_kind::no_handler, failure_kind::handler_failed,
                    failure_kind::overloaded, failure_kind::unreachable, failure_kind::stopped,
                    failure_kind::conflict, failure_kind::forgotten})
    names.push_back(to_string(kind));
  std::vector<std::string_view> expected{"timeout",    "no_handler",  "handler_failed",
                                         "overloaded", "unreachable", "stopped",
                                         "conflict",   "forgotten"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_failure_says_whether_it_is_safe_to_try_again) {
  BOOST_TEST(to_string(certainty::not_done) == "not_done");
  BOOST_TEST(to_string(certainty::unknown) == "unknown");
  BOOST_TEST((failure{}.certainty == certainty::unknown));
}

BOOST_AUTO_TEST_SUITE_END()
