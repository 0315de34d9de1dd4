#include "everything.hpp"

#include <microlith/messages/codec.hpp>
#include <microlith/messages/json.hpp>
#include <microlith/messages/schema.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;

namespace {

struct v1 {
  using message = event<"sample.changed">;
  std::string email;
  int age = 0;
};
BOOST_DESCRIBE_STRUCT(v1, (), (email, age))

struct same_layout_another_name {
  using message = command<"sample.other", 4>;
  std::string email;
  std::int32_t age = 0;
};
BOOST_DESCRIBE_STRUCT(same_layout_another_name, (), (email, age))

struct added {
  std::string email;
  int age = 0;
  bool active = false;
};
BOOST_DESCRIBE_STRUCT(added, (), (email, age, active))

struct retyped {
  std::string email;
  std::int64_t age = 0;
};
BOOST_DESCRIBE_STRUCT(retyped, (), (email, age))

struct reordered {
  int age = 0;
  std::string email;
};
BOOST_DESCRIBE_STRUCT(reordered, (), (age, email))

enum class small : std::uint8_t { a, b };
BOOST_DESCRIBE_ENUM(small, a, b)
enum class wide : std::int64_t { a, b };
BOOST_DESCRIBE_ENUM(wide, a, b)
enum class renumbered : std::uint8_t { a, b = 7 };
BOOST_DESCRIBE_ENUM(renumbered, a, b)

template <class T>
struct holder {
  T value{};
};
BOOST_DESCRIBE_STRUCT(holder<small>, (), (value))
BOOST_DESCRIBE_STRUCT(holder<wide>, (), (value))
BOOST_DESCRIBE_STRUCT(holder<renumbered>, (), (value))
BOOST_DESCRIBE_STRUCT(holder<v1>, (), (value))
BOOST_DESCRIBE_STRUCT(holder<retyped>, (), (value))

template <class T>
std::uint64_t fingerprint() {
  return schema_of<T>().fingerprint;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(a_schema_lists_every_field_with_its_type) {
  std::string text;
  for (const auto& field : schema_of<sample::everything>().fields)
    text += field.name + ": " + field.type + '\n';
  BOOST_TEST(text ==
             "flag: bool\n"
             "i8: i8\n"
             "u8: u8\n"
             "i16: i16\n"
             "u16: u16\n"
             "i32: i32\n"
             "u32: u32\n"
             "i64: i64\n"
             "u64: u64\n"
             "f32: f32\n"
             "f64: f64\n"
             "color: enum u8 {red=1, green=2, blue=200}\n"
             "text: string\n"
             "raw: bytes\n"
             "maybe: optional<string>\n"
             "numbers: list<u16>\n"
             "flags: list<bool>\n"
             "lines: list<{label: string, points: list<{x: i32, y: i32}>}>\n"
             "by_name: map<string, optional<i32>>\n"
             "by_number: map<i16, string>\n"
             "by_color: map<enum u8 {red=1, green=2, blue=200}, f64>\n"
             "by_id: map<id, bool>\n"
             "at: time<us>\n"
             "day: time<d>\n"
             "within: duration<ms>\n"
             "id: id\n"
             "password: secret<string>\n"
             "pin: optional<secret<u32>>\n"
             "nothing: {}\n"
             "nothings: list<{}>\n"
             "family: {name: string, children: list<^1>}\n");
}

BOOST_AUTO_TEST_CASE(a_schema_carries_wire_name_and_version) {
  BOOST_TEST(schema_of<same_layout_another_name>().name == "sample.other");
  BOOST_TEST(schema_of<same_layout_another_name>().version == 4);
  BOOST_TEST(schema_of<added>().version == 0);
}

BOOST_AUTO_TEST_CASE(a_fingerprint_is_the_same_for_ever) {
  BOOST_TEST(fingerprint<v1>() == 2676122498166201239U);
  BOOST_TEST(fingerprint<sample::everything>() == 2222308606431148912U);
}

BOOST_AUTO_TEST_CASE(a_fingerprint_is_of_the_layout_alone) {
  BOOST_TEST(fingerprint<v1>() == fingerprint<same_layout_another_name>());
}

BOOST_AUTO_TEST_CASE(every_change_of_layout_changes_the_fingerprint) {
  BOOST_TEST(fingerprint<v1>() != fingerprint<added>());
  BOOST_TEST(fingerprint<v1>() != fingerprint<retyped>());
  BOOST_TEST(fingerprint<v1>() != fingerprint<reordered>());
  BOOST_TEST(fingerprint<holder<small>>() != fingerprint<holder<wide>>());
  BOOST_TEST(fingerprint<holder<small>>() != fingerprint<holder<renumbered>>());
}

BOOST_AUTO_TEST_CASE(a_change_in_a_nested_struct_changes_the_fingerprint) {
  BOOST_TEST(fingerprint<holder<v1>>() != fingerprint<holder<retyped>>());
}

BOOST_AUTO_TEST_CASE(a_difference_names_the_fields) {
  BOOST_TEST(difference(schema_of<v1>(), schema_of<same_layout_another_name>()) == "");
  BOOST_TEST(difference(schema_of<v1>(), schema_of<added>()) == "added active: bool");
  BOOST_TEST(difference(schema_of<added>(), schema_of<v1>()) == "removed active: bool");
  BOOST_TEST(difference(schema_of<v1>(), schema_of<retyped>()) == "age: i32 -> i64");
  BOOST_TEST(difference(schema_of<v1>(), schema_of<reordered>()) == "reordered: age email");
  BOOST_TEST(difference(schema_of<retyped>(), schema_of<added>()) ==
             "age: i64 -> i32; added active: bool");
}

BOOST_AUTO_TEST_CASE(a_schema_is_encoded_like_any_struct) {
  const auto& original = schema_of<sample::everything>();
  BOOST_TEST((decode<microlith::schema>(encode(original)).value() == original));
  BOOST_TEST((from_json<microlith::schema>(json_of(original)).value() == original));
}

BOOST_AUTO_TEST_SUITE_END()
