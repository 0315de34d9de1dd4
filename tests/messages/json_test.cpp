#include "everything.hpp"

#include <microlith/messages/equality.hpp>
#include <microlith/messages/json.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace microlith;
using sample::everything;

namespace {

struct item {
  std::string name;
  std::uint8_t count = 0;
  std::optional<float> weight{};
};
BOOST_DESCRIBE_STRUCT(item, (), (name, count, weight))

struct order {
  std::vector<item> items;
  std::map<std::string, item> extras;
};
BOOST_DESCRIBE_STRUCT(order, (), (items, extras))

struct odd {
  double number = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> fine{};
  std::chrono::sys_days day{};
  std::chrono::sys_seconds far{};
};
BOOST_DESCRIBE_STRUCT(odd, (), (number, fine, day, far))

struct brief {
  std::chrono::sys_time<std::chrono::duration<std::int16_t, std::ratio<86'400>>> day{};
};
BOOST_DESCRIBE_STRUCT(brief, (), (day))

struct raw {
  bytes data;
};
BOOST_DESCRIBE_STRUCT(raw, (), (data))

struct by_number {
  std::map<std::int8_t, bool> all;
};
BOOST_DESCRIBE_STRUCT(by_number, (), (all))

struct whom {
  message_id id;
  sample::color color = sample::color::red;
};
BOOST_DESCRIBE_STRUCT(whom, (), (id, color))

struct login {
  using message = command<"sample.login">;
  secret<std::string> password;
};
BOOST_DESCRIBE_STRUCT(login, (), (password))

std::string text_of(const auto& value) {
  return boost::json::serialize(json_of(value));
}

template <class T>
std::string error_of(std::string_view text) {
  auto read = from_json<T>(boost::json::parse({text.data(), text.size()}));
  BOOST_REQUIRE(!read);
  return read.error().field + ": " + read.error().reason;
}

template <class T>
T read(std::string_view text) {
  return from_json<T>(boost::json::parse({text.data(), text.size()})).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_AUTO_TEST_CASE(every_field_type_has_a_form_in_json) {
  BOOST_TEST(
      text_of(sample::full()) ==
      R"({"flag":true,"i8":-128,"u8":255,"i16":-2,"u16":4660,"i32":-2147483648,"u32":3735928559,)"
      R"("i64":-9223372036854775808,"u64":18446744073709551615,"f32":5E-1,"f64":-1E300,)"
      R"("color":"blue","text":"grüße","raw":"AP8=","maybe":"here","numbers":[1,2,65535],)"
      R"("flags":[true,false,true],"lines":[{"label":"a","points":[{"x":1,"y":-1}]},)"
      R"({"label":"b","points":[]}],"by_name":{"one":1,"two":null},)"
      R"("by_number":{"-1":"minus","7":"seven"},"by_color":{"green":2.5E-1},)"
      R"("by_id":{"018f0e5a-7c3b-7abc-9def-0123456789ab":true},)"
      R"("at":"2024-02-29T12:34:56.000789Z","day":"1969-07-20T00:00:00Z","within":-1500,)"
      R"("id":"018f0e5a-7c3b-7abc-9def-0123456789ab","password":"***","pin":"***","nothing":{},)"
      R"("nothings":[{},{}],"family":{"name":"root","children":[{"name":"leaf","children":[]}]}})");
}

BOOST_AUTO_TEST_CASE(what_json_says_is_read_back_but_for_secrets) {
  auto original = sample::full();
  original.pin.reset();  // "***" is no number
  auto back = from_json<everything>(boost::json::parse(text_of(original)));
  BOOST_REQUIRE_MESSAGE(back, (back ? "" : to_string(back.error())));
  BOOST_TEST(back->password.reveal() == "***");
  back->password = original.password;
  BOOST_TEST(equal(*back, original));
}

BOOST_AUTO_TEST_CASE(a_secret_is_read_in_clear) {
  BOOST_TEST(read<login>(R"({"password":"hunter2"})").password.reveal() == "hunter2");
}

BOOST_AUTO_TEST_CASE(an_optional_field_may_be_missing_or_null) {
  BOOST_TEST(!read<item>(R"({"name":"a","count":1})").weight.has_value());
  BOOST_TEST(!read<item>(R"({"name":"a","count":1,"weight":null})").weight.has_value());
  BOOST_TEST(read<item>(R"({"name":"a","count":1,"weight":2})").weight.value() == 2.0F);
}

BOOST_AUTO_TEST_CASE(any_other_field_that_is_missing_is_an_error) {
  BOOST_TEST(error_of<item>(R"({"name":"a"})") == "count: this field is missing");
  BOOST_TEST(error_of<item>(R"({"name":null,"count":1})") ==
             "name: a string is expected, not null");
}

BOOST_AUTO_TEST_CASE(a_member_that_is_no_field_is_an_error) {
  BOOST_TEST(error_of<item>(R"({"name":"a","count":1,"cuont":2})") ==
             "cuont: there is no such field");
  BOOST_TEST(error_of<item>(R"({"name":"a","count":1,"x\ny":2})") ==
             R"("x\ny": there is no such field)");
}

BOOST_AUTO_TEST_CASE(errors_name_the_way_to_the_field) {
  BOOST_TEST(error_of<order>(R"({"items":[{"name":"a","count":1},{"name":"b","count":"x"}],)"
                             R"("extras":{}})") ==
             "items[1].count: a whole number is expected, not string");
  BOOST_TEST(error_of<order>(R"({"items":[],"extras":{"red":{"name":1,"count":1}}})") ==
             "extras.red.name: a string is expected, not int64");
}

BOOST_AUTO_TEST_CASE(an_error_never_repeats_a_value) {
  auto read = from_json<whom>(boost::json::parse(R"({"id":"hunter2","color":"red"})"));
  BOOST_REQUIRE(!read);
  BOOST_TEST(to_string(read.error()).find("hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(numbers_must_fit) {
  BOOST_TEST(error_of<item>(R"({"name":"a","count":256})") ==
             "count: a whole number from 0 to 255 is expected");
  BOOST_TEST(error_of<item>(R"({"name":"a","count":-1})") ==
             "count: a whole number from 0 to 255 is expected");
  BOOST_TEST(error_of<item>(R"({"name":"a","count":1.5})") ==
             "count: a whole number is expected, not double");
  BOOST_TEST(error_of<item>(R"({"name":"a","count":1,"weight":1e300})") ==
             "weight: the number is too large for the field");
  BOOST_TEST(error_of<by_number>(R"({"all":{"128":true}})") ==
             "all.128: a whole number that the key can hold is expected");
  BOOST_TEST(error_of<by_number>(R"({"all":{"1":true,"01":true}})") ==
             "all: two members are the same key");
}

BOOST_AUTO_TEST_CASE(enumerators_and_ids_must_be_ones) {
  BOOST_TEST(error_of<whom>(R"({"id":"00000000-0000-0000-0000-000000000000","color":"pink"})") ==
             "color: one of red, green, blue is expected");
  BOOST_TEST(error_of<whom>(R"({"id":"1","color":"red"})") ==
             "id: an id of 36 characters is expected (018f0000-0000-7000-8000-…)");
}

BOOST_AUTO_TEST_CASE(numbers_that_json_lacks_travel_as_words) {
  for (double number :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 0.1,
        -0.0, std::numeric_limits<double>::denorm_min()}) {
    odd original{.number = number};
    BOOST_TEST(equal(read<odd>(text_of(original)), original), number);
  }
  odd original{.number = std::numeric_limits<double>::quiet_NaN()};
  BOOST_TEST(text_of(original).find(R"("number":"NaN")") != std::string::npos);
  BOOST_TEST(std::isnan(read<odd>(text_of(original)).number));
}

BOOST_AUTO_TEST_CASE(times_that_the_text_form_lacks_travel_as_counts) {
  odd original{.fine = decltype(odd::fine)::min(),
               .day = decltype(odd::day)::max(),
               .far = decltype(odd::far)::max()};
  BOOST_TEST(equal(read<odd>(text_of(original)), original));
  BOOST_TEST(text_of(original).find(R"("far":9223372036854775807)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_time_must_be_one_that_the_field_can_hold) {
  auto with = [](std::string_view day) {
    return R"({"number":0,"fine":0,"far":0,"day":)" + std::string{day} + '}';
  };
  BOOST_TEST((read<odd>(with(R"("2024-02-29T00:00:00Z")")).day ==
              std::chrono::sys_days{std::chrono::year{2024} / 2 / 29}));
  BOOST_TEST(error_of<odd>(with(R"("2024-02-29T00:00:01Z")")).starts_with("day: a time in UTC"));
  BOOST_TEST(error_of<odd>(with(R"("2023-02-29T00:00:00Z")")).starts_with("day: a time in UTC"));
  BOOST_TEST(error_of<odd>(with("1e3")).starts_with("day: a whole number"));
  BOOST_TEST(error_of<brief>(R"({"day":32768})") ==
             "day: a whole number from -32768 to 32767 is expected");
  BOOST_TEST(
      error_of<brief>(R"({"day":"2099-01-01T00:00:00Z"})").starts_with("day: a time in UTC"));
}

BOOST_AUTO_TEST_CASE(bytes_are_strict_base64) {
  BOOST_TEST(read<raw>(R"({"data":""})").data.empty());
  BOOST_TEST(read<raw>(R"({"data":"/w=="})").data.size() == 1U);
  BOOST_TEST(error_of<raw>(R"({"data":"/w"})") == "data: base64 with padding is expected");
}

BOOST_AUTO_TEST_CASE(what_is_not_utf_8_becomes_the_replacement_character) {
  BOOST_TEST(text_of(item{.name = "a\xFF"}) ==
             "{\"name\":\"a\xEF\xBF\xBD\",\"count\":0,\"weight\":null}");
}

BOOST_AUTO_TEST_CASE(nesting_is_bounded) {
  boost::json::value deep = {{"name", ""}, {"children", boost::json::array{}}};
  for (unsigned i = 0; i < max_struct_depth; ++i)
    deep = {{"name", ""}, {"children", boost::json::array{deep}}};
  auto read = from_json<sample::tree>(deep);
  BOOST_REQUIRE(!read);
  BOOST_TEST(read.error().reason == "structs are nested deeper than 32");
}

BOOST_AUTO_TEST_CASE(the_error_names_the_type_and_no_offset) {
  auto read = from_json<login>(boost::json::value(nullptr));
  BOOST_REQUIRE(!read);
  BOOST_TEST(to_string(read.error()) ==
             "cannot decode sample.login: an object is expected, not null");
}

BOOST_AUTO_TEST_SUITE_END()
