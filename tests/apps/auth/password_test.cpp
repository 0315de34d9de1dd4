#include "auth/password.hpp"

#include "auth/user.hpp"

#include <boost/test/unit_test.hpp>
#include <dlfcn.h>

using namespace auth;

namespace {

// The hashes that this thread has verified, in order.
thread_local std::vector<std::string> verified;

// What the time that verifying takes depends on: "$argon2id$v=19$m=…,t=…,p=…".
std::string cost_of(const std::string& hash) {
  return hash.substr(0, hash.find('$', hash.find("m=")));
}

struct cheap_passwords {
  cheap_passwords() { set_password_cost(password_cost::minimum); }
};

}  // namespace

// Stands before the one of libsodium, and calls it.
extern "C" int crypto_pwhash_str_verify(const char* hash, const char* password,
                                        unsigned long long size) {
  verified.emplace_back(hash);
  static const auto real =
      reinterpret_cast<decltype(&crypto_pwhash_str_verify)>(::dlsym(RTLD_NEXT, __func__));
  return real(hash, password, size);
}

BOOST_AUTO_TEST_SUITE(password, *boost::unit_test::fixture<cheap_passwords>())

BOOST_AUTO_TEST_CASE(only_the_password_itself_matches_its_hash) {
  auto hash = hash_password("correct horse");
  BOOST_TEST(hash.starts_with("$argon2id$"));
  BOOST_TEST(verify_password(hash, "correct horse"));
  BOOST_TEST(!verify_password(hash, "correct horse "));
  BOOST_TEST(!verify_password(hash, ""));
}

BOOST_AUTO_TEST_CASE(two_hashes_of_one_password_differ) {
  BOOST_TEST(hash_password("correct horse") != hash_password("correct horse"));
}

BOOST_AUTO_TEST_CASE(a_password_may_hold_any_bytes) {
  const std::string_view zero_inside{"before\0after", 12};
  auto hash = hash_password(zero_inside);
  BOOST_TEST(verify_password(hash, zero_inside));
  BOOST_TEST(!verify_password(hash, "before"));
}

BOOST_AUTO_TEST_CASE(nobody_has_no_password) {
  BOOST_TEST(!verify_password("", "nobody"));
  BOOST_TEST(!verify_password("", ""));
}

BOOST_AUTO_TEST_CASE(who_does_not_exist_takes_as_much_work_as_who_does) {
  const login_command login{.email = "alice@example.org", .password = "wrong horse", .sid = "s"};
  for (auto cost : {password_cost::interactive, password_cost::minimum}) {
    set_password_cost(cost);
    const auth::user known{.password_hash = hash_password("correct horse")};
    for (const auto& asked : {known, auth::user{}}) {
      verified.clear();
      BOOST_TEST(!prepare(asked, login).matches);
      BOOST_TEST_REQUIRE(verified.size() == 1U);
      BOOST_TEST(cost_of(verified.front()) == cost_of(known.password_hash));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_new_password_has_eight_characters_to_a_thousand_bytes) {
  BOOST_TEST((password_error("1234567") == register_error::weak_password));
  BOOST_TEST(!password_error("12345678"));
  // Characters, not bytes: seven of them in fourteen bytes.
  BOOST_TEST((password_error("äöüäöüä") == register_error::weak_password));
  BOOST_TEST(!password_error("äöüäöüäö"));
  BOOST_TEST(!password_error(std::string(1024, 'x')));
  BOOST_TEST((password_error(std::string(1025, 'x')) == register_error::password_too_long));
}

BOOST_AUTO_TEST_SUITE_END()
