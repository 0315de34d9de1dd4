#pragma once

// Why stored data could not be opened, read or written. A value; the text says what was attempted,
// on what, and what to do.

#include <boost/assert/source_location.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace microlith {

enum class storage_error_kind : std::uint8_t {
  damaged,         ///< what is stored is not what was written
  owned,           ///< another process has it
  unusable,        ///< wrong directory, permissions, format or options
  full,            ///< disk or map is full; heals when there is room
  io,              ///< the machine could not read or write; open again to find out what is there
  schema_changed,  ///< a type's layout changed without a new version
  stopped,         ///< a projection met an event that it cannot apply
  unreachable,     ///< the node that has the journal cannot be reached
};

[[nodiscard]] std::string_view to_string(storage_error_kind kind);

struct storage_error {
  storage_error_kind kind = storage_error_kind::unusable;
  std::string text;
  /// Position in the journal that it is about; 0 where it is about no single one.
  std::uint64_t position = 0;

  friend bool operator==(const storage_error&, const storage_error&) = default;
};

/// "damaged: record 17 of /data/journal …"
[[nodiscard]] std::string to_string(const storage_error& error);

/// What `result<T, storage_error>::value()` throws: a storage_exception.
[[noreturn]] void throw_exception_from_error(const storage_error& error,
                                             const boost::source_location& where);

/// Thrown inside a read or an apply function where a row cannot be read or written; caught by the
/// store that runs the function.
class storage_exception : public std::runtime_error {
 public:
  explicit storage_exception(storage_error error);
  [[nodiscard]] const storage_error& error() const { return error_; }

 private:
  storage_error error_;
};

}  // namespace microlith
