#include <microlith/persistence/stored_name.hpp>

#include <algorithm>

namespace microlith {

namespace {

bool may_be_in_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

}  // namespace

bool is_stored_name(std::string_view name) {
  return !name.empty() && name.size() <= max_stored_name_bytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), may_be_in_a_name);
}

std::string bad_stored_name(std::string_view what, std::string_view name) {
  std::string shown{name.substr(0, 40)};
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return std::string{what} + " cannot be called \"" + shown + "\": a name has 1 to " +
         std::to_string(max_stored_name_bytes) +
         " letters, digits, '-', '_' and '.', and does not begin with '.'";
}

}  // namespace microlith
