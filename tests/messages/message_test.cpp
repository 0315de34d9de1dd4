#include <microlith/messages/message.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;

namespace {

struct do_it {
  using message = command<"sample.do_it">;
  std::string what;
};
struct found {
  using message = response<"sample.found">;
};
struct find_it {
  using message = query<"sample.find_it", found>;
};
struct happened {
  using message = event<"sample.happened", 3>;
};
struct refused {
  using message = rejection<"sample.refused">;
};
struct asks_for_a_command {
  using message = query<"sample.wrong", do_it>;
};
struct nobody {};

}  // namespace

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(each_kind_is_a_concept_of_its_own) {
  static_assert(command_message<do_it> && !event_message<do_it> && !published_message<do_it>);
  static_assert(query_message<find_it> && !command_message<find_it>);
  static_assert(response_message<found> && !query_message<found>);
  static_assert(event_message<happened> && published_message<happened>);
  static_assert(rejection_message<refused> && published_message<refused>);
  static_assert(!event_message<refused>);
}

BOOST_AUTO_TEST_CASE(a_struct_that_names_no_kind_is_no_message) {
  static_assert(!any_message<nobody> && !any_message<int> && !any_message<std::string>);
}

BOOST_AUTO_TEST_CASE(a_query_names_a_response) {
  static_assert(std::is_same_v<response_of<find_it>, found>);
  static_assert(!query_message<asks_for_a_command>);
}

BOOST_AUTO_TEST_CASE(wire_name_and_version_are_those_that_were_given) {
  BOOST_TEST(wire_name<do_it> == "sample.do_it");
  BOOST_TEST(wire_version<do_it> == 1);
  BOOST_TEST(wire_version<happened> == 3);
}

BOOST_AUTO_TEST_CASE(a_message_stays_an_aggregate) {
  static_assert(std::is_aggregate_v<do_it>);
  BOOST_TEST(do_it{.what = "now"}.what == "now");
}

BOOST_AUTO_TEST_CASE(every_kind_has_a_name) {
  BOOST_TEST(to_string(message_kind::command) == "command");
  BOOST_TEST(to_string(message_kind::query) == "query");
  BOOST_TEST(to_string(message_kind::response) == "response");
  BOOST_TEST(to_string(message_kind::event) == "event");
  BOOST_TEST(to_string(message_kind::rejection) == "rejection");
}

BOOST_AUTO_TEST_SUITE_END()
