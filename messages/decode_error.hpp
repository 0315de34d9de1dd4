#pragma once

// Why bytes or JSON are not the message that they should be.

#include <boost/assert/source_location.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace microlith {

struct decode_error {
  /// The offset where there is none: JSON, or a version that is not known.
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  std::string type;              ///< wire name, or the C++ name of a struct that is no message
  std::string field;             ///< "lines[3].price"; empty where the message as a whole is meant
  std::size_t offset = nowhere;  ///< in bytes from the beginning of the input
  std::string reason;

  friend bool operator==(const decode_error&, const decode_error&) = default;
};

/// "cannot decode auth.login_command: field email at byte 12: …"
[[nodiscard]] std::string to_string(const decode_error& error);

/// What `result::value()` calls: throws std::runtime_error with the text.
[[noreturn]] void throw_exception_from_error(const decode_error& error,
                                             const boost::source_location& where);

namespace internal {

/// Puts the name of the enclosing field, or "[index]", before the path of an error.
void prepend_field(decode_error& error, std::string_view name);
void prepend_index(decode_error& error, std::size_t index);

}  // namespace internal

}  // namespace microlith
