#include <microlith/messages/internal/base64.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

using namespace microlith;
using microlith::internal::from_base64;
using microlith::internal::to_base64;

namespace {

std::string encoded(std::string_view text) {
  return to_base64(std::as_bytes(std::span{text}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(base64)

// RFC 4648, section 10.
BOOST_AUTO_TEST_CASE(the_vectors_of_the_rfc_are_met) {
  BOOST_TEST(encoded("") == "");
  BOOST_TEST(encoded("f") == "Zg==");
  BOOST_TEST(encoded("fo") == "Zm8=");
  BOOST_TEST(encoded("foo") == "Zm9v");
  BOOST_TEST(encoded("foob") == "Zm9vYg==");
  BOOST_TEST(encoded("fooba") == "Zm9vYmE=");
  BOOST_TEST(encoded("foobar") == "Zm9vYmFy");
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  BOOST_TEST(rc::check("encode, then decode", [](const std::vector<std::uint8_t>& in) {
    auto raw = std::as_bytes(std::span{in});
    RC_ASSERT(from_base64(to_base64(raw)) == bytes(raw.begin(), raw.end()));
  }));
}

BOOST_AUTO_TEST_CASE(each_byte_string_has_one_text_only) {
  for (std::string_view text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm8",
                                "Z===", "====", "=Zg=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_"})
    BOOST_TEST(!from_base64(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
