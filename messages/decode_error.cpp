#include <microlith/messages/decode_error.hpp>

#include <stdexcept>

namespace microlith {

std::string to_string(const decode_error& error) {
  std::string text = "cannot decode " + error.type + ": ";
  if (!error.field.empty())
    text += "field " + error.field;
  if (error.offset != decode_error::nowhere) {
    if (!error.field.empty())
      text += ' ';
    text += "at byte " + std::to_string(error.offset);
  }
  if (!error.field.empty() || error.offset != decode_error::nowhere)
    text += ": ";
  return text + error.reason;
}

void throw_exception_from_error(const decode_error& error, const boost::source_location&) {
  throw std::runtime_error(to_string(error));
}

namespace internal {

void prepend_field(decode_error& error, std::string_view name) {
  bool joined = error.field.empty() || error.field.front() == '[';
  error.field = std::string{name} + (joined ? "" : ".") + error.field;
}

void prepend_index(decode_error& error, std::size_t index) {
  bool joined = error.field.empty() || error.field.front() == '[';
  error.field = '[' + std::to_string(index) + ']' + (joined ? "" : ".") + error.field;
}

}  // namespace internal

}  // namespace microlith
