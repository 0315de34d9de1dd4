#include <microlith/messages/internal/utf8.hpp>

#include <boost/test/unit_test.hpp>

using microlith::internal::as_utf8;
using microlith::internal::next_utf8;

BOOST_AUTO_TEST_SUITE(utf8)

BOOST_AUTO_TEST_CASE(sequences_of_every_length_are_read) {
  auto is = [](std::string_view text, char32_t code_point) {
    auto step = next_utf8(text);
    return step.valid && step.code_point == code_point && step.size_bytes == text.size();
  };
  BOOST_TEST(is("A", U'A'));
  BOOST_TEST(is("\xC2\x80", 0x80));
  BOOST_TEST(is("ü", U'ü'));
  BOOST_TEST(is("€", U'€'));
  BOOST_TEST(is("\xEF\xBF\xBF", 0xFFFF));
  BOOST_TEST(is("\xF0\x9F\x98\x80", 0x1F600));
  BOOST_TEST(is("\xF4\x8F\xBF\xBF", 0x10FFFF));
}

BOOST_AUTO_TEST_CASE(what_the_rfc_forbids_is_invalid_and_one_byte_long) {
  for (std::string_view text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\xC3", "\xE2\x82", "\xC3\x28"}) {
    auto step = next_utf8(text);
    BOOST_TEST(!step.valid);
    BOOST_TEST(step.size_bytes == 1U);
  }
}

BOOST_AUTO_TEST_CASE(only_what_is_invalid_is_replaced) {
  BOOST_TEST(as_utf8("grüße") == "grüße");
  BOOST_TEST(as_utf8("a\xFF"
                     "b\xC3") ==
             "a\xEF\xBF\xBD"
             "b\xEF\xBF\xBD");
  BOOST_TEST(as_utf8("") == "");
}

BOOST_AUTO_TEST_SUITE_END()
