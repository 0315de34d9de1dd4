#include "auth/session.hpp"

#include "support/given.hpp"

using namespace auth;

using microlith::test::given;
using namespace std::chrono_literals;

namespace {

const microlith::wall_time noon{12h};
const user_logged_in_event signed_in{.email = "alice@example.org",
                                     .role = role::user,
                                     .sid = "s1",
                                     .expires_at = noon + 10min,
                                     .ends_at = noon + 12h};
const user_logged_out_event signed_out{.email = "alice@example.org", .sid = "s1"};

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(a_sign_in_begins_the_stream_of_its_token) {
  BOOST_TEST(stream_of(signed_in).name() == "auth.session/s1");
  BOOST_TEST(stream_key(logout_command{"s1"}) == "s1");
  BOOST_TEST(stream_key(extend_session_command{"s1"}) == "s1");
}

BOOST_AUTO_TEST_CASE(a_sign_in_ends_with_a_sign_out) {
  given<auth::session>(signed_in).at(noon + 1min).when(logout_command{"s1"}).then(signed_out);
}

BOOST_AUTO_TEST_CASE(signing_out_with_an_unknown_token_leaves_no_trace) {
  given<auth::session>().at(noon).when(logout_command{"s2"}).then_nothing();
}

BOOST_AUTO_TEST_CASE(signing_out_twice_leaves_one_trace) {
  given<auth::session>(signed_in, signed_out)
      .at(noon + 1min)
      .when(logout_command{"s1"})
      .then_nothing();
}

BOOST_AUTO_TEST_CASE(a_sign_in_that_ran_out_cannot_be_signed_out_or_extended) {
  auto late = given<auth::session>(signed_in).at(noon + 10min);
  late.when(logout_command{"s1"}).then_nothing();
  late.when(extend_session_command{"s1"}).then_nothing();
}

BOOST_AUTO_TEST_CASE(a_sign_in_is_extended_while_its_user_is_there) {
  given<auth::session>(signed_in)
      .at(noon + 5min)
      .when(extend_session_command{"s1"})
      .then(user_session_extended_event{"s1", noon + 15min});
}

BOOST_AUTO_TEST_CASE(it_is_extended_at_most_once_a_minute) {
  auto scenario = given<auth::session>(signed_in, user_session_extended_event{"s1", noon + 15min});
  scenario.at(noon + 5min + 59s).when(extend_session_command{"s1"}).then_nothing();
  scenario.at(noon + 6min)
      .when(extend_session_command{"s1"})
      .then(user_session_extended_event{"s1", noon + 16min});
}

BOOST_AUTO_TEST_CASE(it_is_never_extended_past_twelve_hours) {
  auto scenario =
      given<auth::session>(signed_in, user_session_extended_event{"s1", noon + 11h + 58min});
  scenario.at(noon + 11h + 57min)
      .when(extend_session_command{"s1"})
      .then(user_session_extended_event{"s1", noon + 12h});
  auto at_the_end = given<auth::session>(signed_in, user_session_extended_event{"s1", noon + 12h});
  at_the_end.at(noon + 11h + 59min).when(extend_session_command{"s1"}).then_nothing();
}

BOOST_AUTO_TEST_CASE(nothing_extends_a_sign_out) {
  given<auth::session>(signed_in, signed_out)
      .at(noon + 2min)
      .when(extend_session_command{"s1"})
      .then_nothing();
}

BOOST_AUTO_TEST_SUITE_END()
