#pragma once

// Reading UTF-8 that may be none (RFC 3629). Any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace microlith::internal {

struct utf8_step {
  char32_t code_point = 0;     ///< meaningless unless valid
  std::size_t size_bytes = 1;  ///< of an invalid sequence: 1, so that reading goes on behind it
  bool valid = false;          ///< overlong forms, surrogates and what is past U+10FFFF are not
};

/// The first code point of `text`, which is not empty.
[[nodiscard]] utf8_step next_utf8(std::string_view text);

/// The text with U+FFFD in place of each byte that is not UTF-8: JSON must be.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace microlith::internal
