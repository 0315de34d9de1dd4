#pragma once

// What a message is made of: the list of its fields and the shape of each field's type.
//
// Boost.Describe gives the list; everything that looks into a message (codec, JSON, printing,
// equality, schema) goes through `all_fields` and `shape_of`, so that a field type is supported
// everywhere or nowhere. All of it happens at compile time.

#include <microlith/messages/fixed_string.hpp>
#include <microlith/messages/identity.hpp>
#include <microlith/messages/message.hpp>

#include <boost/describe/bases.hpp>
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <boost/mp11/list.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace microlith {

template <class T>
class secret;

/// A byte string: the field type, and what encoding produces.
using bytes = std::vector<std::byte>;

/// A struct whose fields BOOST_DESCRIBE_STRUCT lists.
template <class T>
concept described = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

/// An enum whose enumerators BOOST_DESCRIBE_ENUM lists.
template <class T>
concept described_enum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

/// How deep described structs may nest in one another in one value; only recursive types get near
/// it.
inline constexpr unsigned max_struct_depth = 32;

/// The kinds of field type that a message may hold.
enum class shape : std::uint8_t {
  boolean,
  integer,  ///< signed or unsigned, 8 to 64 bits; not a character type
  real,     ///< float, double
  enumeration,
  text,         ///< std::string, any bytes; UTF-8 is not required
  byte_string,  ///< microlith::bytes
  optional,
  list,      ///< std::vector
  map,       ///< std::map from text, integers, enums or ids
  time,      ///< std::chrono::sys_time in any unit, counted in a signed integer
  duration,  ///< std::chrono::duration in any unit, counted in a signed integer
  id,        ///< basic_id
  secret,
  structure,  ///< a described struct
  unsupported,
};

namespace internal {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;

template <template <class...> class Template, class... Arguments>
inline constexpr bool is_a<Template<Arguments...>, Template> = true;

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

template <class T>
inline constexpr bool is_duration = false;

template <std::signed_integral Count, class Period>
inline constexpr bool is_duration<std::chrono::duration<Count, Period>> = true;

template <class T>
inline constexpr bool is_time = false;

template <class Duration>
inline constexpr bool is_time<std::chrono::time_point<std::chrono::system_clock, Duration>> =
    is_duration<Duration>;

template <class T>
consteval shape classify() {
  if constexpr (std::same_as<T, bool>)
    return shape::boolean;
  else if constexpr (std::integral<T> && !character<T> && sizeof(T) <= 8)
    return shape::integer;
  else if constexpr (std::same_as<T, float> || std::same_as<T, double>)
    return shape::real;
  else if constexpr (described_enum<T>)
    return shape::enumeration;
  else if constexpr (std::same_as<T, std::string>)
    return shape::text;
  else if constexpr (std::same_as<T, bytes>)
    return shape::byte_string;
  else if constexpr (is_a<T, std::optional>)
    return shape::optional;
  else if constexpr (is_a<T, std::vector>)
    return shape::list;
  else if constexpr (is_a<T, std::map>)
    return shape::map;
  else if constexpr (is_time<T>)
    return shape::time;
  else if constexpr (is_duration<T>)
    return shape::duration;
  else if constexpr (is_a<T, basic_id>)
    return shape::id;
  else if constexpr (is_a<T, microlith::secret>)
    return shape::secret;
  else if constexpr (described<T>)
    return shape::structure;
  else
    return shape::unsupported;
}

// A class of its own, so that each unsupported type is reported once however often it is asked
// about.
template <class T>
struct shape_check {
  static constexpr shape value = classify<T>();
  static_assert(
      value != shape::unsupported,
      "this type cannot be a message field: use bool, an integer of 8 to 64 bits, float, "
      "double, a described enum, std::string, microlith::bytes, std::optional, std::vector, "
      "std::map, std::chrono::sys_time, a duration with a signed integer count, an id, "
      "a secret or a described struct");
};

template <class T>
consteval bool can_be_key() {
  constexpr auto kind = classify<T>();
  return kind == shape::text || kind == shape::integer || kind == shape::enumeration ||
         kind == shape::id;
}

template <class T>
struct shape_check<std::optional<T>> {
  static constexpr shape value = shape::optional;
  static_assert(!is_a<T, std::optional>,
                "an optional of an optional cannot be a message field: JSON has one null only");
};

template <class Key, class Value, class... Rest>
struct shape_check<std::map<Key, Value, Rest...>> {
  static constexpr shape value = shape::map;
  static_assert(
      can_be_key<Key>(),
      "the key of a map in a message must be text, an integer, a described enum or an id");
};

template <class T>
using fields_of = boost::describe::describe_members<T, boost::describe::mod_public |
                                                           boost::describe::mod_inherited>;

// Stands for a value of any field of `Of` where nothing is evaluated. A base is no field.
template <class Of>
struct any_field {
  template <class T>
    requires(!std::is_base_of_v<T, Of>)
  operator T() const;  // NOLINT: conversion is the point
};
template <class Of, std::size_t>
using one_of_many = any_field<Of>;

template <class T, std::size_t... Numbers>
consteval bool holds_as_many(std::index_sequence<Numbers...>) {
  return requires {
    T{one_of_many<T, Numbers>{}...};
  };
}

// Whether an aggregate takes more values in braces than it has described fields. Of what is no
// aggregate, or has bases, nobody can tell.
template <class T>
consteval bool leaves_a_field_out() {
  using fields = fields_of<T>;
  using bases = boost::describe::describe_bases<T, boost::describe::mod_any_access>;
  if constexpr (std::is_aggregate_v<T> && boost::mp11::mp_empty<bases>::value)
    return holds_as_many<T>(std::make_index_sequence<boost::mp11::mp_size<fields>::value + 1>{});
  else
    return false;
}

// A class of its own, so that a struct is reported once.
template <class T>
struct described_whole {
  static_assert(!leaves_a_field_out<T>(),
                "BOOST_DESCRIBE_STRUCT leaves a field of this struct out: it would be neither "
                "stored nor sent, so list it, or keep it elsewhere");
};

template <template <class...> class List, class... Fields, class Function>
constexpr bool all_in(List<Fields...>*, Function&& function) {
  return (function(Fields{}) && ...);
}

template <class T>
consteval std::string_view compiler_name() {
  constexpr std::string_view function = __PRETTY_FUNCTION__;
  constexpr auto begin = function.find("T = ") + 4;
  return function.substr(begin, function.find_first_of(";]", begin) - begin);
}

}  // namespace internal

/// The shape of a field type. An unsupported one does not compile.
template <class T>
inline constexpr shape shape_of = internal::shape_check<T>::value;

/// Calls `function(field)` for each described field of `T` in order, as long as it returns true.
/// `field.name` is the name, `field.pointer` the pointer to the member.
template <described T, class Function>
constexpr bool all_fields(Function&& function) {
  static_cast<void>(sizeof(internal::described_whole<T>));
  return internal::all_in(static_cast<internal::fields_of<T>*>(nullptr), function);
}

/// The type of the member that a field of `all_fields` points to.
template <class T, class Field>
using field_type = std::remove_cvref_t<decltype(std::declval<const T&>().*Field::pointer)>;

template <described T>
inline constexpr std::size_t field_count = boost::mp11::mp_size<internal::fields_of<T>>::value;

/// Names the fields of a message that are kept and sent in clear, and not shown: a password hash.
/// They print as "***", in JSON, too, and the stored schema says so, so that tools mask them.
///
///     struct user_registered_event {
///       using message = microlith::event<"auth.user_registered_event">;
///       using sensitive = microlith::sensitive_fields<"password_hash">;
template <fixed_string... Names>
struct sensitive_fields {
  [[nodiscard]] static constexpr bool holds(std::string_view field) {
    return ((field == Names.view()) || ...);
  }
  template <class T>
  [[nodiscard]] static consteval bool are_fields_of() {
    return (!all_fields<T>([](auto field) { return Names.view() != field.name; }) && ...);
  }
};

/// Whether a field of `T` is sensitive by declaration.
template <described T>
[[nodiscard]] constexpr bool is_sensitive(std::string_view field) {
  if constexpr (requires { typename T::sensitive; }) {
    static_assert(T::sensitive::template are_fields_of<T>(),
                  "`sensitive` names a field that BOOST_DESCRIBE_STRUCT does not list");
    return T::sensitive::holds(field);
  } else {
    return false;
  }
}

/// The name of an enumerator; empty for a value that is none.
template <described_enum E>
[[nodiscard]] constexpr std::string_view enumerator_name(E value) {
  std::string_view name;
  internal::all_in(static_cast<boost::describe::describe_enumerators<E>*>(nullptr), [&](auto one) {
    if (one.value == value)
      name = one.name;
    return name.empty();
  });
  return name;
}

template <described_enum E>
[[nodiscard]] constexpr std::optional<E> enumerator_named(std::string_view name) {
  std::optional<E> found;
  internal::all_in(static_cast<boost::describe::describe_enumerators<E>*>(nullptr), [&](auto one) {
    if (name == one.name)
      found = one.value;
    return !found;
  });
  return found;
}

/// What error texts call the type: the wire name of a message, else the C++ name.
template <class T>
[[nodiscard]] constexpr std::string_view type_name() {
  if constexpr (any_message<T>)
    return wire_name<T>;
  else
    return internal::compiler_name<T>();
}

}  // namespace microlith
