#pragma once

// The message types that a program knows, by wire name: what bytes from outside are decoded with.
//
// A value; a copy is independent. Reading from several threads is fine while nobody adds.

#include <microlith/messages/message_type.hpp>
#include <microlith/messages/result.hpp>

#include <map>
#include <string>
#include <string_view>

namespace microlith {

/// Two C++ types claim one wire name.
struct catalog_error {
  std::string name;
  std::string text;
};

[[nodiscard]] inline std::string to_string(const catalog_error& error) {
  return error.text;
}

class type_catalog {
 public:
  /// Adding the same type again changes nothing. Only the newest version of a type is added; older
  /// ones are reached through its `previous`.
  template <any_message T>
  [[nodiscard]] result<void, catalog_error> add() {
    return add(type_of<T>());
  }

  /// `type` must outlive the catalog, as what `type_of` gives does.
  [[nodiscard]] result<void, catalog_error> add(const message_type& type);

  /// Null if nobody added it.
  [[nodiscard]] const message_type* find(std::string_view name) const;

  /// By name, in ascending order.
  [[nodiscard]] const std::map<std::string_view, const message_type*>& types() const {
    return types_;
  }

 private:
  std::map<std::string_view, const message_type*> types_;
};

}  // namespace microlith
