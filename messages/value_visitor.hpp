#pragma once

// A message as a sequence of calls: what printing and JSON have in common.
//
// `visit_value` is instantiated once a message type; what is done with the values is compiled once.
// Secrets and sensitive fields arrive as `hidden`, so no visitor can show one. Not for hot paths.
// For one thread.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace microlith {

class value_visitor {
 public:
  virtual void boolean(bool value) = 0;
  virtual void integer(std::int64_t value) = 0;
  virtual void natural(std::uint64_t value) = 0;
  virtual void real(float value) = 0;
  virtual void real(double value) = 0;
  /// A name made of letters, digits and hyphens: an enumerator, an id.
  virtual void word(std::string_view value) = 0;
  virtual void text(std::string_view value) = 0;
  virtual void byte_string(std::span<const std::byte> value) = 0;
  /// Ticks of `numerator/denominator` seconds since 1970-01-01T00:00:00Z, without leap seconds.
  virtual void time(std::int64_t ticks, std::intmax_t numerator, std::intmax_t denominator) = 0;
  virtual void duration(std::int64_t ticks, std::intmax_t numerator, std::intmax_t denominator) = 0;
  /// An optional without a value.
  virtual void nothing() = 0;
  /// A secret, or a sensitive field.
  virtual void hidden() = 0;

  /// Returns how many of the elements it wants to see.
  [[nodiscard]] virtual std::size_t begin_list(std::size_t size) = 0;
  virtual void end_list() = 0;
  /// Returns how many of the entries it wants to see. Each is a `key` and a value.
  [[nodiscard]] virtual std::size_t begin_map(std::size_t size) = 0;
  virtual void key(std::string_view text) = 0;
  virtual void end_map() = 0;
  virtual void begin_struct() = 0;
  /// The name of the field whose value is next.
  virtual void field(std::string_view name) = 0;
  virtual void end_struct() = 0;

 protected:
  ~value_visitor() = default;
};

namespace internal {

/// A map's key as text: what JSON has for keys.
template <class Key>
std::string key_text(const Key& key) {
  if constexpr (shape_of<Key> == shape::text) {
    return key;
  } else if constexpr (shape_of<Key> == shape::integer) {
    return std::to_string(key);
  } else if constexpr (shape_of<Key> == shape::id) {
    return to_string(key);
  } else {
    auto name = enumerator_name(key);
    return name.empty() ? std::to_string(static_cast<std::underlying_type_t<Key>>(key))
                        : std::string{name};
  }
}

}  // namespace internal

template <class T>
void visit_value(const T& value, value_visitor& visitor) {
  constexpr auto kind = shape_of<T>;
  if constexpr (kind == shape::boolean) {
    visitor.boolean(value);
  } else if constexpr (kind == shape::integer) {
    if constexpr (std::is_signed_v<T>)
      visitor.integer(value);
    else
      visitor.natural(value);
  } else if constexpr (kind == shape::real) {
    visitor.real(value);
  } else if constexpr (kind == shape::enumeration) {
    if (auto name = enumerator_name(value); !name.empty())
      visitor.word(name);
    else
      visit_value(static_cast<std::underlying_type_t<T>>(value), visitor);
  } else if constexpr (kind == shape::text) {
    visitor.text(value);
  } else if constexpr (kind == shape::byte_string) {
    visitor.byte_string(value);
  } else if constexpr (kind == shape::optional) {
    if (value)
      visit_value(*value, visitor);
    else
      visitor.nothing();
  } else if constexpr (kind == shape::list) {
    auto wanted = visitor.begin_list(value.size());
    for (std::size_t i = 0; i < wanted && i < value.size(); ++i) {
      const typename T::value_type& one = value[i];
      visit_value(one, visitor);
    }
    visitor.end_list();
  } else if constexpr (kind == shape::map) {
    auto wanted = visitor.begin_map(value.size());
    for (auto next = value.begin(); wanted > 0 && next != value.end(); ++next, --wanted) {
      visitor.key(internal::key_text(next->first));
      visit_value(next->second, visitor);
    }
    visitor.end_map();
  } else if constexpr (kind == shape::time) {
    visitor.time(value.time_since_epoch().count(), T::period::num, T::period::den);
  } else if constexpr (kind == shape::duration) {
    visitor.duration(value.count(), T::period::num, T::period::den);
  } else if constexpr (kind == shape::id) {
    visitor.word(to_string(value));
  } else if constexpr (kind == shape::secret) {
    visitor.hidden();
  } else if constexpr (kind == shape::structure) {
    visitor.begin_struct();
    all_fields<T>([&](auto field) {
      visitor.field(field.name);
      if (is_sensitive<T>(field.name))
        visitor.hidden();
      else
        visit_value(value.*field.pointer, visitor);
      return true;
    });
    visitor.end_struct();
  }
}

}  // namespace microlith
