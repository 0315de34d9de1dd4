#include "auth/email.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace auth;

BOOST_AUTO_TEST_SUITE(email)

BOOST_AUTO_TEST_CASE(space_around_and_case_do_not_matter) {
  BOOST_TEST(fold_email(" \tAlice.B+Tag@Example.ORG\r\n") == "alice.b+tag@example.org");
  BOOST_TEST(fold_email("  ").empty());
}

BOOST_AUTO_TEST_CASE(common_addresses_are_valid) {
  for (const auto* address : {"a@b.c", "alice@example.org", "o'neil+x@sub.example.co.uk",
                              "root@localhost", "1.2_3@4-5.example"})
    BOOST_TEST(is_valid_email(address), address);
}

BOOST_AUTO_TEST_CASE(what_no_mail_server_would_take_is_not) {
  for (const auto* address :
       {"", "alice", "@example.org", "alice@", "alice@@example.org", "a b@example.org",
        "alice@example..org", "alice@-example.org", "alice@example-.org", "alice@.org",
        "alice@org.", "alice@exa_mple.org", "\"alice\"@example.org", "alice@[127.0.0.1]",
        "al\xC3\xAF@example.org", "a@b@c.d", "alice@example.org\n", "a\x01@example.org"})
    BOOST_TEST(!is_valid_email(address), address);
}

BOOST_AUTO_TEST_CASE(lengths_are_bounded) {
  const std::string local(64, 'a');
  const std::string label(63, 'b');
  auto domain_of = [&](std::size_t size) {
    std::string domain;
    while (domain.size() + label.size() + 1 < size)
      domain += label + '.';
    return domain + std::string(size - domain.size(), 'c');
  };
  BOOST_TEST(is_valid_email(local + '@' + domain_of(189)));
  BOOST_TEST(!is_valid_email(local + '@' + domain_of(190)));
  BOOST_TEST(!is_valid_email(local + "a@example.org"));
  BOOST_TEST(!is_valid_email("a@" + label + "b.org"));
}

BOOST_AUTO_TEST_SUITE_END()
