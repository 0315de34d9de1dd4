#pragma once

// The body of a request: one JSON object of a few strings, read strictly. Pure functions, any
// thread.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace auth {

/// Members by name. A value that is not a string is there without its text.
using json_object = std::map<std::string, std::optional<std::string>, std::less<>>;

/// Deepest nesting that is read at all.
inline constexpr std::size_t json_depth_limit = 8;

/// Nothing for what is not one valid JSON object in valid UTF-8, nests too deeply, or names a
/// member twice: parsers differ in which of the two they believe.
[[nodiscard]] std::optional<json_object> parse_json_object(std::string_view text);

}  // namespace auth
