#include <microlith/persistence/error.hpp>

#include <utility>

namespace microlith {

std::string_view to_string(storage_error_kind kind) {
  switch (kind) {
    case storage_error_kind::damaged:
      return "damaged";
    case storage_error_kind::owned:
      return "owned";
    case storage_error_kind::unusable:
      return "unusable";
    case storage_error_kind::full:
      return "full";
    case storage_error_kind::io:
      return "io";
    case storage_error_kind::schema_changed:
      return "schema_changed";
    case storage_error_kind::stopped:
      return "stopped";
    case storage_error_kind::unreachable:
      return "unreachable";
  }
  return "unknown";
}

std::string to_string(const storage_error& error) {
  std::string text{to_string(error.kind)};
  text += ": ";
  text += error.text;
  return text;
}

storage_exception::storage_exception(storage_error error)
    : std::runtime_error{error.text}, error_{std::move(error)} {}

void throw_exception_from_error(const storage_error& error, const boost::source_location&) {
  throw storage_exception{error};
}

}  // namespace microlith
