#include "auth/token.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace auth;

BOOST_AUTO_TEST_SUITE(token)

BOOST_AUTO_TEST_CASE(tokens_are_43_characters_of_base64url_and_never_the_same) {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    auto token = make_token();
    BOOST_TEST(token.size() == 43U);
    BOOST_TEST(is_token(token));
    BOOST_TEST(seen.insert(token).second);
  }
}

BOOST_AUTO_TEST_CASE(what_has_another_form_is_no_token) {
  BOOST_TEST(!is_token(""));
  BOOST_TEST(!is_token(std::string(42, 'a')));
  BOOST_TEST(!is_token(std::string(44, 'a')));
  BOOST_TEST(!is_token(std::string(42, 'a') + '='));
  BOOST_TEST(!is_token(std::string(42, 'a') + '/'));
}

BOOST_AUTO_TEST_CASE(the_sid_is_the_blake2b_hash_of_the_token) {
  // b2sum -l 256 of 43 times "a"
  BOOST_TEST(sid_of(std::string(43, 'a')) ==
             "a3e1ac69f1022b5d7a04e3bf37740758e568c93643c532d22f0d37f14677803f");
  BOOST_TEST(sid_of(make_token()).size() == 64U);
}

BOOST_AUTO_TEST_SUITE_END()
