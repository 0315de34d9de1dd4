#include "auth/json_object.hpp"

#include <boost/test/unit_test.hpp>

using namespace auth;

BOOST_AUTO_TEST_SUITE(json_object)

BOOST_AUTO_TEST_CASE(strings_are_read_and_other_values_are_noticed) {
  auto object = parse_json_object(
      R"( {"email":"a\u0040b.c","n":1,"d":1.5,"t":true,"z":null,"o":{"email":"x"},"a":["y",{}]} )");
  BOOST_TEST_REQUIRE(object.has_value());
  BOOST_TEST(object->size() == 7U);
  BOOST_TEST(object->at("email").value() == "a@b.c");
  for (const auto* name : {"n", "d", "t", "z", "o", "a"})
    BOOST_TEST(!object->at(name).has_value(), name);
}

BOOST_AUTO_TEST_CASE(an_empty_object_has_no_members) {
  auto object = parse_json_object("{}");
  BOOST_TEST_REQUIRE(object.has_value());
  BOOST_TEST(object->empty());
}

BOOST_AUTO_TEST_CASE(a_zero_byte_in_a_string_is_kept) {
  auto object = parse_json_object(R"({"password":"a\u0000b"})");
  BOOST_TEST_REQUIRE(object.has_value());
  BOOST_TEST(object->at("password").value() == (std::string{"a\0b", 3}));
}

BOOST_AUTO_TEST_CASE(what_is_not_one_object_is_refused) {
  for (const auto* text : {"",
                           " ",
                           "[]",
                           "\"text\"",
                           "1",
                           "true",
                           "null",
                           "{",
                           "{}{}",
                           "{} x",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{'a':1}",
                           "{a:1}",
                           "{\"a\":\"\n\"}",
                           "// {}",
                           "{\"a\":\"\\ud800\"}",
                           "{\"a\":\"\xFF\"}",
                           "\xEF\xBB\xBF{}",
                           "{\"a\":01}",
                           "[{\"a\":1}]"})
    BOOST_TEST(!parse_json_object(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(a_member_named_twice_is_refused) {
  BOOST_TEST(!parse_json_object(R"({"role":"user","role":"admin"})").has_value());
  BOOST_TEST(!parse_json_object(R"({"a":1,"\u0061":2})").has_value());
  BOOST_TEST(parse_json_object(R"({"a":{"b":1,"b":2}})").has_value());
}

BOOST_AUTO_TEST_CASE(deep_nesting_is_refused) {
  auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + '}';
  };
  BOOST_TEST(parse_json_object(nested(json_depth_limit - 1)).has_value());
  BOOST_TEST(!parse_json_object(nested(json_depth_limit)).has_value());
  BOOST_TEST(!parse_json_object(std::string(60'000, '[')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
