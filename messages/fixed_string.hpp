#pragma once

// A string literal as a template argument: wire names are part of a message's type.

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace microlith {

template <std::size_t Size>
struct fixed_string {
  char text[Size]{};

  consteval fixed_string(const char (&literal)[Size]) { std::copy_n(literal, Size, text); }

  [[nodiscard]] constexpr std::string_view view() const { return {text, Size - 1}; }
};

}  // namespace microlith
