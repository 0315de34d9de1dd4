#pragma once

// One message that holds every field type there is: what codec, JSON, printing and schema are tried
// with.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/secret.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sample {

enum class color : std::uint8_t { red = 1, green = 2, blue = 200 };
BOOST_DESCRIBE_ENUM(color, red, green, blue)

struct nothing {};
BOOST_DESCRIBE_STRUCT(nothing, (), ())

struct point {
  std::int32_t x = 0;
  std::int32_t y = 0;
};
BOOST_DESCRIBE_STRUCT(point, (), (x, y))

struct line {
  std::string label{};
  std::vector<point> points{};
};
BOOST_DESCRIBE_STRUCT(line, (), (label, points))

struct tree {
  std::string name{};
  std::vector<tree> children{};
};
BOOST_DESCRIBE_STRUCT(tree, (), (name, children))

struct everything {
  using message = microlith::command<"sample.everything">;
  bool flag = false;
  std::int8_t i8 = 0;
  std::uint8_t u8 = 0;
  std::int16_t i16 = 0;
  std::uint16_t u16 = 0;
  std::int32_t i32 = 0;
  std::uint32_t u32 = 0;
  std::int64_t i64 = 0;
  std::uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
  sample::color color = sample::color::red;
  std::string text{};
  microlith::bytes raw{};
  std::optional<std::string> maybe{};
  std::vector<std::uint16_t> numbers{};
  std::vector<bool> flags{};
  std::vector<line> lines{};
  std::map<std::string, std::optional<std::int32_t>> by_name{};
  std::map<std::int16_t, std::string> by_number{};
  std::map<sample::color, double> by_color{};
  std::map<microlith::message_id, bool> by_id{};
  std::chrono::sys_time<std::chrono::microseconds> at{};
  std::chrono::sys_days day{};
  std::chrono::milliseconds within{};
  microlith::message_id id{};
  microlith::secret<std::string> password{};
  std::optional<microlith::secret<std::uint32_t>> pin{};
  sample::nothing nothing{};
  std::vector<sample::nothing> nothings{};
  tree family{};
};
BOOST_DESCRIBE_STRUCT(everything, (),
                      (flag, i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, color, text, raw,
                       maybe, numbers, flags, lines, by_name, by_number, by_color, by_id, at, day,
                       within, id, password, pin, nothing, nothings, family))

/// All fields filled, with values at their limits.
inline everything full() {
  using namespace std::chrono;
  auto id = *microlith::message_id::parse("018f0e5a-7c3b-7abc-9def-0123456789ab");
  return {
      .flag = true,
      .i8 = std::numeric_limits<std::int8_t>::min(),
      .u8 = std::numeric_limits<std::uint8_t>::max(),
      .i16 = -2,
      .u16 = 0x1234,
      .i32 = std::numeric_limits<std::int32_t>::min(),
      .u32 = 0xDEADBEEF,
      .i64 = std::numeric_limits<std::int64_t>::min(),
      .u64 = std::numeric_limits<std::uint64_t>::max(),
      .f32 = 0.5F,
      .f64 = -1e300,
      .color = color::blue,
      .text = "grüße",
      .raw = {std::byte{0}, std::byte{0xFF}},
      .maybe = "here",
      .numbers = {1, 2, 65535},
      .flags = {true, false, true},
      .lines = {{.label = "a", .points = {{.x = 1, .y = -1}}}, {.label = "b", .points = {}}},
      .by_name = {{"one", 1}, {"two", std::nullopt}},
      .by_number = {{-1, "minus"}, {7, "seven"}},
      .by_color = {{color::green, 0.25}},
      .by_id = {{id, true}},
      .at = sys_days{2024y / February / 29} + 12h + 34min + 56s + 789us,
      .day = sys_days{1969y / July / 20},
      .within = -1500ms,
      .id = id,
      .password = "open sesame",
      .pin = 1234U,
      .nothing = {},
      .nothings = {{}, {}},
      .family = {.name = "root", .children = {{.name = "leaf", .children = {}}}},
  };
}

}  // namespace sample
