#pragma once

// A message as one line for people: "{email: a@b.c, password: ***, role: admin}".
//
// What is printed is safe in a log or on a terminal: text that is not plain is quoted, control
// characters and what is not UTF-8 are escaped, so no message can forge a field or a line. It is
// bounded: long texts, long lists and long messages are cut, with "…". Not meant to be read back;
// that is what JSON is for. Any thread.

#include <microlith/messages/value_visitor.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace microlith {

/// Bytes of one text or byte string that are shown.
inline constexpr std::size_t max_printed_text_bytes = 256;
/// Elements of one list or map that are shown.
inline constexpr std::size_t max_printed_elements = 32;
/// Bytes of the whole line, give or take the last field.
inline constexpr std::size_t max_printed_bytes = 4096;

/// A text as it appears in a printed message: in quotes and escaped where it is not plain, and cut.
[[nodiscard]] std::string print_text(std::string_view text);

namespace internal {

/// Calls `visit_value` for a value whose type is not known here.
using visit_function = void (*)(const void* value, value_visitor& visitor);

template <class T>
void visit_erased(const void* value, value_visitor& visitor) {
  visit_value(*static_cast<const T*>(value), visitor);
}

[[nodiscard]] std::string print_erased(const void* value, visit_function visit);

}  // namespace internal

template <described T>
[[nodiscard]] std::string print(const T& value) {
  return internal::print_erased(&value, &internal::visit_erased<T>);
}

}  // namespace microlith
