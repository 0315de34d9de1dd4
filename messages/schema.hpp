#pragma once

// The layout of a message type as data: names and types of its fields, and a fingerprint of them.
//
// The journal stores schemas, so that tools can read it without the application, and compares
// fingerprints, so that a layout which changed without a new version is noticed. The fingerprint
// covers field names, order and types, through nested structs and enumerators with their values; it
// covers no C++ type name, no wire name, no version and not which fields are sensitive. It is the
// same for every compiler, machine and run. Thread-safe: a schema is built at its first use and
// never changes.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/secret.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

/// A field's name, and its type in the words of README.md: "optional<string>".
struct schema_field {
  std::string name;
  std::string type;

  friend bool operator==(const schema_field&, const schema_field&) = default;
};
BOOST_DESCRIBE_STRUCT(schema_field, (), (name, type))

struct schema {
  std::string name;           ///< the wire name; of a struct that is no message, its C++ name
  std::uint16_t version = 0;  ///< 0 for a struct that is no message
  std::vector<schema_field> fields;
  std::uint64_t fingerprint = 0;  ///< of `fields` alone

  friend bool operator==(const schema&, const schema&) = default;
};
BOOST_DESCRIBE_STRUCT(schema, (), (name, version, fields, fingerprint))

/// FNV-1a, 64 bits, over "name:type\n" of each field in order, with "sensitive<T>" as "T"
/// (http://www.isthe.com/chongo/tech/comp/fnv/).
[[nodiscard]] std::uint64_t fingerprint_of(const std::vector<schema_field>& fields);

/// What changed from one layout to the other, field by field: "role: enum u8 {user=0} -> string;
/// added nickname: string". Empty where the fields are the same.
[[nodiscard]] std::string difference(const schema& stored, const schema& now);

/// `stored`, which may be older, with those fields sensitive that `now` says are. Declaring a field
/// sensitive changes no byte of a message, so what is stored already is masked, too.
[[nodiscard]] schema with_sensitive_fields(schema stored, const schema& now);

namespace internal {

/// "s", "ms", "us", "ns", "min", "h", "d", or the ratio of a second "1001/30000".
[[nodiscard]] std::string unit_name(std::intmax_t numerator, std::intmax_t denominator);

/// What a field's type is called where the field is sensitive, or is not.
[[nodiscard]] std::string declared_type(std::string type, bool sensitive);

// `Outer` are the structs around this one, innermost first: a recursive type refers back to one of
// them.
template <class T, class... Outer>
void append_type(std::string& out);

template <class T, class... Outer>
std::string type_text() {
  std::string out;
  append_type<T, Outer...>(out);
  return out;
}

template <class T, class... Outer>
void append_struct(std::string& out) {
  int levels_up = 0;
  bool found = false;
  ((found = found || (++levels_up, std::same_as<T, Outer>)), ...);
  if (found) {
    out += '^';
    out += std::to_string(levels_up);
    return;
  }
  if constexpr (!(std::same_as<T, Outer> || ...)) {
    out += '{';
    bool first = true;
    all_fields<T>([&](auto field) {
      if (!first)
        out += ", ";
      first = false;
      out += field.name;
      out += ": ";
      out += declared_type(type_text<field_type<T, decltype(field)>, T, Outer...>(),
                           is_sensitive<T>(field.name));
      return true;
    });
    out += '}';
  }
}

template <class E>
void append_enum(std::string& out) {
  using underlying = std::underlying_type_t<E>;
  out += "enum ";
  append_type<underlying>(out);
  out += " {";
  bool first = true;
  all_in(static_cast<boost::describe::describe_enumerators<E>*>(nullptr), [&](auto one) {
    if (!first)
      out += ", ";
    first = false;
    out += one.name;
    out += '=';
    out += std::to_string(static_cast<underlying>(one.value));
    return true;
  });
  out += '}';
}

template <class T, class... Outer>
void append_type(std::string& out) {
  constexpr auto kind = shape_of<T>;
  if constexpr (kind == shape::boolean) {
    out += "bool";
  } else if constexpr (kind == shape::integer) {
    out += std::is_signed_v<T> ? 'i' : 'u';
    out += std::to_string(sizeof(T) * 8);
  } else if constexpr (kind == shape::real) {
    out += sizeof(T) == 4 ? "f32" : "f64";
  } else if constexpr (kind == shape::enumeration) {
    append_enum<T>(out);
  } else if constexpr (kind == shape::text) {
    out += "string";
  } else if constexpr (kind == shape::byte_string) {
    out += "bytes";
  } else if constexpr (kind == shape::optional) {
    out += "optional<" + type_text<typename T::value_type, Outer...>() + '>';
  } else if constexpr (kind == shape::list) {
    out += "list<" + type_text<typename T::value_type, Outer...>() + '>';
  } else if constexpr (kind == shape::map) {
    out += "map<" + type_text<typename T::key_type, Outer...>() + ", " +
           type_text<typename T::mapped_type, Outer...>() + '>';
  } else if constexpr (kind == shape::time) {
    out += "time<" + unit_name(T::period::num, T::period::den) + '>';
  } else if constexpr (kind == shape::duration) {
    out += "duration<" + unit_name(T::period::num, T::period::den) + '>';
  } else if constexpr (kind == shape::id) {
    out += "id";
  } else if constexpr (kind == shape::secret) {
    using inner = std::remove_cvref_t<decltype(std::declval<const T&>().reveal())>;
    out += "secret<" + type_text<inner, Outer...>() + '>';
  } else if constexpr (kind == shape::structure) {
    append_struct<T, Outer...>(out);
  }
}

}  // namespace internal

/// The schema of a described struct; built at the first call.
template <described T>
[[nodiscard]] const schema& schema_of() {
  static const schema built = [] {
    schema out;
    out.name = type_name<T>();
    if constexpr (any_message<T>)
      out.version = wire_version<T>;
    all_fields<T>([&](auto field) {
      out.fields.push_back(
          {field.name,
           internal::declared_type(internal::type_text<field_type<T, decltype(field)>, T>(),
                                   is_sensitive<T>(field.name))});
      return true;
    });
    out.fingerprint = fingerprint_of(out.fields);
    return out;
  }();
  return built;
}

}  // namespace microlith
