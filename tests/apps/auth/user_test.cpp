#include "auth/user.hpp"

#include "auth/password.hpp"
#include "support/given.hpp"

using namespace auth;

using microlith::principal;
using microlith::test::given;

namespace {

const std::string alice = "alice@example.org";
const principal admin{.subject = "root@example.org", .roles = {"admin"}};
const microlith::wall_time noon{std::chrono::hours{12}};

user_registered_event registered(const std::string& password = "correct horse") {
  return {.email = alice, .password_hash = hash_password(password), .role = role::user};
}

struct cheap_passwords {
  cheap_passwords() { set_password_cost(password_cost::minimum); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(user, *boost::unit_test::fixture<cheap_passwords>())

BOOST_AUTO_TEST_CASE(a_new_email_is_registered_with_a_hash_of_the_password) {
  auto event = given<auth::user>()
                   .when(register_command{.email = alice, .password = "correct horse"})
                   .one<user_registered_event>();
  BOOST_TEST(event.email == alice);
  BOOST_TEST((event.role == role::user));
  BOOST_TEST(event.password_hash.starts_with("$argon2id$"));
  BOOST_TEST(verify_password(event.password_hash, "correct horse"));
}

BOOST_AUTO_TEST_CASE(a_taken_email_cannot_be_registered) {
  given<auth::user>(registered())
      .when(register_command{.email = alice, .password = "another horse"})
      .then(register_error_raised{alice, {register_error::user_already_exists}});
}

BOOST_AUTO_TEST_CASE(spellings_of_one_email_are_one_stream) {
  const register_command shouted{.email = " ALICE@Example.org\n", .password = "correct horse"};
  BOOST_TEST(stream_key(shouted) == alice);
  BOOST_TEST(stream_key(login_command{"Alice@example.ORG", "", ""}) == alice);
  BOOST_TEST(given<auth::user>().when(shouted).one<user_registered_event>().email == alice);
}

BOOST_AUTO_TEST_CASE(an_invalid_email_and_a_weak_password_are_refused_together) {
  given<auth::user>()
      .when(register_command{.email = "alice", .password = "short"})
      .then(register_error_raised{"alice",
                                  {register_error::invalid_email, register_error::weak_password}});
}

BOOST_AUTO_TEST_CASE(nobody_makes_an_admin) {
  given<auth::user>()
      .when(register_command{.email = alice, .password = "correct horse", .role = role::admin})
      .then(register_error_raised{alice, {register_error::forbidden}});
}

BOOST_AUTO_TEST_CASE(a_user_makes_no_admin_and_learns_nothing_about_who_exists) {
  given<auth::user>(registered())
      .by({.subject = "bob@example.org", .roles = {"user"}})
      .when(register_command{.email = alice, .password = "correct horse", .role = role::admin})
      .then(register_error_raised{alice, {register_error::forbidden}});
}

BOOST_AUTO_TEST_CASE(an_admin_makes_an_admin) {
  auto event =
      given<auth::user>()
          .by(admin)
          .when(register_command{.email = alice, .password = "correct horse", .role = role::admin})
          .one<user_registered_event>();
  BOOST_TEST((event.role == role::admin));
}

BOOST_AUTO_TEST_CASE(the_right_password_signs_in_for_ten_minutes_and_twelve_hours_at_most) {
  given<auth::user>(registered())
      .at(noon)
      .when(login_command{.email = alice, .password = "correct horse", .sid = "s1"})
      .then(user_logged_in_event{.email = alice,
                                 .role = role::user,
                                 .sid = "s1",
                                 .expires_at = noon + std::chrono::minutes{10},
                                 .ends_at = noon + std::chrono::hours{12}});
}

BOOST_AUTO_TEST_CASE(a_wrong_password_does_not_sign_in) {
  given<auth::user>(registered())
      .when(login_command{.email = alice, .password = "wrong horse", .sid = "s1"})
      .then(login_error_raised{alice, {login_error::invalid_password}, "s1"});
}

BOOST_AUTO_TEST_CASE(an_unknown_user_does_not_sign_in) {
  given<auth::user>()
      .when(login_command{.email = alice, .password = "correct horse", .sid = "s1"})
      .then(login_error_raised{alice, {login_error::no_user_found}, "s1"});
}

BOOST_AUTO_TEST_CASE(what_was_prepared_for_another_state_is_prepared_again) {
  const register_command command{.email = alice, .password = "correct horse"};
  auto before = given<auth::user>().state();
  auto after = given<auth::user>(registered()).state();
  BOOST_TEST(prepare_basis(before, command) != prepare_basis(after, command));
  // Nothing is hashed for an e-mail that is taken.
  BOOST_TEST(prepare(after, command).hash.empty());
}

BOOST_AUTO_TEST_SUITE_END()
