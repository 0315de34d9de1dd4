#pragma once

// Bytes that released formats have written, kept as hexadecimal text below tests/golden/.

#include <microlith/messages/codec.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace microlith::test {

/// Sixteen bytes a line.
[[nodiscard]] inline std::string hex(std::span<const std::byte> data) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    auto value = std::to_integer<unsigned>(data[i]);
    text += digits[value >> 4];
    text += digits[value & 15];
    if (i % 16 == 15 || i + 1 == data.size())
      text += '\n';
  }
  return text;
}

/// The bytes in a file below tests/golden/.
[[nodiscard]] inline bytes golden(const std::string& name) {
  auto path = std::filesystem::path{MICROLITH_TESTS_DIR} / "golden" / name;
  std::ifstream file{path};
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << path);
  bytes out;
  std::string digits;
  for (char c = 0; file.get(c);) {
    if (c == '\n')
      continue;
    digits += c;
    if (digits.size() == 2) {
      out.push_back(static_cast<std::byte>(std::stoul(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return out;
}

}  // namespace microlith::test
