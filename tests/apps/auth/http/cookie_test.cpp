#include "auth/http/cookie.hpp"

#include <boost/test/unit_test.hpp>

namespace http = auth::http;
using namespace auth::http;

BOOST_AUTO_TEST_SUITE(cookie)

BOOST_AUTO_TEST_CASE(a_cookie_is_found_among_others) {
  BOOST_TEST(find_cookie("a=1; token=abc; b=2", "token") == "abc");
  BOOST_TEST(find_cookie("token=abc", "token") == "abc");
  BOOST_TEST(find_cookie("a=1;token=abc", "token") == "abc");
  BOOST_TEST(find_cookie("token=a=b", "token") == "a=b");
  BOOST_TEST(find_cookie("token=first; token=second", "token") == "first");
}

BOOST_AUTO_TEST_CASE(similar_names_are_other_cookies) {
  for (const auto* header :
       {"", ";", "; ;", "token", "tokens=1", "my_token=1", "TOKEN=1", "x=token=1", "token ="})
    BOOST_TEST(find_cookie(header, "token").empty(), header);
}

BOOST_AUTO_TEST_CASE(a_cookie_is_out_of_reach_of_scripts_and_other_sites) {
  BOOST_TEST(set_cookie("token", "abc", std::chrono::seconds{600}, false) ==
             "token=abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
  BOOST_TEST(set_cookie("token", "", std::chrono::seconds{0}, true) ==
             "token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
}

BOOST_AUTO_TEST_SUITE_END()
