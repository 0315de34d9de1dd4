#include "everything.hpp"

#include <microlith/messages/print.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace microlith;

namespace {

struct note {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(note, (), (text))

struct numbers {
  std::vector<std::uint32_t> all;
};
BOOST_DESCRIBE_STRUCT(numbers, (), (all))

struct notes {
  std::vector<note> all;
};
BOOST_DESCRIBE_STRUCT(notes, (), (all))

struct times {
  std::chrono::sys_seconds when{};
  std::chrono::duration<std::int64_t, std::ratio<1, 30>> frames{};
  sample::color color = sample::color::red;
};
BOOST_DESCRIBE_STRUCT(times, (), (when, frames, color))

std::string of(std::string text) {
  return microlith::print(note{std::move(text)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(print)

BOOST_AUTO_TEST_CASE(a_message_prints_as_one_line_without_its_secrets) {
  BOOST_TEST(
      microlith::print(sample::full()) ==
      "{flag: true, i8: -128, u8: 255, i16: -2, u16: 4660, i32: -2147483648, u32: 3735928559, "
      "i64: -9223372036854775808, u64: 18446744073709551615, f32: 0.5, f64: -1e+300, color: blue, "
      "text: \"grüße\", raw: 0x00ff, maybe: here, numbers: [1, 2, 65535], flags: [true, false, "
      "true], lines: [{label: a, points: [{x: 1, y: -1}]}, {label: b, points: []}], by_name: {one: "
      "1, two: none}, by_number: {-1: minus, 7: seven}, by_color: {green: 0.25}, by_id: "
      "{018f0e5a-7c3b-7abc-9def-0123456789ab: true}, at: 2024-02-29T12:34:56.000789Z, day: "
      "1969-07-20T00:00:00Z, within: -1500ms, id: 018f0e5a-7c3b-7abc-9def-0123456789ab, password: "
      "***, pin: ***, nothing: {}, nothings: [{}, {}], family: {name: root, children: [{name: "
      "leaf, children: []}]}}");
}

BOOST_AUTO_TEST_CASE(plain_text_is_bare_and_other_text_is_quoted) {
  BOOST_TEST(of("a@b.c") == "{text: a@b.c}");
  BOOST_TEST(of("") == "{text: \"\"}");
  BOOST_TEST(of("a b") == "{text: \"a b\"}");
  BOOST_TEST(of("x, role: admin}") == "{text: \"x, role: admin}\"}");
  BOOST_TEST(of("say \"hi\" \\") == R"({text: "say \"hi\" \\"})");
}

BOOST_AUTO_TEST_CASE(a_text_cannot_pass_for_a_secret) {
  BOOST_TEST(of("***") == "{text: \"***\"}");
}

BOOST_AUTO_TEST_CASE(control_characters_are_escaped) {
  BOOST_TEST(of("a\nb\r\t") == R"({text: "a\nb\r\t"})");
  BOOST_TEST(of("\x1b[31m\x7f") == R"({text: "\x1b[31m\x7f"})");
  BOOST_TEST(of(std::string("\0", 1)) == R"({text: "\x00"})");
  BOOST_TEST(of("\xC2\x9B"
                "31m") == R"({text: "\u009b31m"})");
  BOOST_TEST(of("\xE2\x80\xAE") == R"({text: "\u202e"})");
}

BOOST_AUTO_TEST_CASE(what_is_not_utf_8_is_escaped_byte_by_byte) {
  BOOST_TEST(of("\xFF\xC3") == R"({text: "\xff\xc3"})");
}

BOOST_AUTO_TEST_CASE(a_long_text_is_cut_between_code_points) {
  auto long_text = std::string(max_printed_text_bytes + 10, 'x');
  BOOST_TEST(of(long_text) == "{text: \"" + std::string(max_printed_text_bytes, 'x') + "…\"}");
  std::string umlauts = "x";
  for (std::size_t i = 0; i < max_printed_text_bytes; ++i)
    umlauts += "ü";
  auto cut = of(umlauts);
  BOOST_TEST(cut.ends_with("ü…\"}"));
  BOOST_TEST(cut.find("\\x") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_long_list_is_cut) {
  auto printed = microlith::print(numbers{std::vector<std::uint32_t>(max_printed_elements + 1, 7)});
  BOOST_TEST(printed.starts_with("{all: [7, 7, "));
  BOOST_TEST(printed.ends_with("7, …]}"));
  BOOST_TEST(std::count(printed.begin(), printed.end(), '7') ==
             static_cast<std::ptrdiff_t>(max_printed_elements));
  auto whole = microlith::print(numbers{std::vector<std::uint32_t>(max_printed_elements, 7)});
  BOOST_TEST(whole.find("…") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_long_message_is_cut_and_its_brackets_are_closed) {
  notes many;
  many.all.resize(30);
  for (auto& one : many.all)
    one.text.assign(max_printed_text_bytes, ' ');
  auto printed = microlith::print(many);
  BOOST_TEST(printed.size() < max_printed_bytes + 2 * max_printed_text_bytes);
  BOOST_TEST(printed.ends_with("…}]}"));
}

BOOST_AUTO_TEST_CASE(units_without_a_name_are_spelled_out) {
  times odd{.when = std::chrono::sys_seconds::max(),
            .frames = std::chrono::duration<std::int64_t, std::ratio<1, 30>>{60},
            .color = sample::color{7}};
  BOOST_TEST(microlith::print(odd) == "{when: 9223372036854775807s, frames: 60*1/30s, color: 7}");
}

BOOST_AUTO_TEST_SUITE_END()
