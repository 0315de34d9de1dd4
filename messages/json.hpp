#pragma once

// Described structs to JSON and back.
//
// Enumerators appear by name, ids as UUIDs, points in time in RFC 3339, byte strings in base64,
// durations as counts of their unit, maps as objects, secrets as "***". Texts are taken to be
// UTF-8; what is not becomes U+FFFD. Numbers that JSON lacks are "NaN", "Infinity" and "-Infinity";
// points in time outside the years 0 to 9999 are counts of their unit. All but secrets and broken
// UTF-8 comes back as it was. Any thread.
//
// Heavy to compile (Boost.JSON): messages and handlers do not need it, edges do.

#include <microlith/messages/decode_error.hpp>
#include <microlith/messages/describe.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/messages/secret.hpp>
#include <microlith/messages/value_visitor.hpp>

#include <boost/json/value.hpp>

#include <charconv>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace microlith {

namespace internal {

[[nodiscard]] boost::json::value json_erased(const void* value, visit_function visit);

// Each says in `error` what was expected if the value is something else.
[[nodiscard]] bool fail_json(decode_error& error, std::string reason);
[[nodiscard]] bool read_json_bool(const boost::json::value& in, bool& out, decode_error& error);
[[nodiscard]] bool read_json_integer(const boost::json::value& in, std::int64_t smallest,
                                     std::int64_t largest, std::int64_t& out, decode_error& error);
[[nodiscard]] bool read_json_natural(const boost::json::value& in, std::uint64_t largest,
                                     std::uint64_t& out, decode_error& error);
[[nodiscard]] bool read_json_real(const boost::json::value& in, double largest, double& out,
                                  decode_error& error);
[[nodiscard]] bool read_json_text(const boost::json::value& in, std::string_view& out,
                                  decode_error& error);
[[nodiscard]] bool read_json_bytes(const boost::json::value& in, bytes& out, decode_error& error);
[[nodiscard]] bool read_json_time(const boost::json::value& in, std::intmax_t numerator,
                                  std::intmax_t denominator, std::int64_t smallest,
                                  std::int64_t largest, std::int64_t& out, decode_error& error);
[[nodiscard]] const boost::json::object* read_json_object(const boost::json::value& in,
                                                          decode_error& error);
[[nodiscard]] const boost::json::array* read_json_array(const boost::json::value& in,
                                                        decode_error& error);
/// Says which member is not among `fields`, if one is not.
[[nodiscard]] bool refuse_json_member(const boost::json::object& in, const std::string_view* fields,
                                      std::size_t field_count, decode_error& error);

template <class T>
[[nodiscard]] bool read_json(const boost::json::value& in, T& out, decode_error& error,
                             unsigned depth);

template <class Count>
[[nodiscard]] bool read_json_count(const boost::json::value& in, Count& out, decode_error& error) {
  if constexpr (std::is_signed_v<Count>) {
    std::int64_t wide = 0;
    if (!read_json_integer(in, std::numeric_limits<Count>::min(), std::numeric_limits<Count>::max(),
                           wide, error))
      return false;
    out = static_cast<Count>(wide);
  } else {
    std::uint64_t wide = 0;
    if (!read_json_natural(in, std::numeric_limits<Count>::max(), wide, error))
      return false;
    out = static_cast<Count>(wide);
  }
  return true;
}

template <class E>
[[nodiscard]] bool read_json_enum(std::string_view name, E& out, decode_error& error) {
  auto found = enumerator_named<E>(name);
  if (!found) {
    std::string expected;
    all_in(static_cast<boost::describe::describe_enumerators<E>*>(nullptr), [&](auto one) {
      expected += expected.empty() ? "one of " : ", ";
      expected += one.name;
      return true;
    });
    return fail_json(error, expected + " is expected");
  }
  out = *found;
  return true;
}

template <class Id>
[[nodiscard]] bool read_json_id(std::string_view text, Id& out, decode_error& error) {
  auto id = Id::parse(text);
  if (!id)
    return fail_json(error, "an id of 36 characters is expected (018f0000-0000-7000-8000-…)");
  out = *id;
  return true;
}

template <class Key>
[[nodiscard]] bool read_json_key(std::string_view text, Key& out, decode_error& error) {
  if constexpr (shape_of<Key> == shape::text) {
    out = text;
    return true;
  } else if constexpr (shape_of<Key> == shape::integer) {
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), out);
    return (wrong == std::errc{} && end == text.data() + text.size()) ||
           fail_json(error, "a whole number that the key can hold is expected");
  } else if constexpr (shape_of<Key> == shape::id) {
    return read_json_id(text, out, error);
  } else {
    return read_json_enum(text, out, error);
  }
}

template <class List>
[[nodiscard]] bool read_json_list(const boost::json::value& in, List& out, decode_error& error,
                                  unsigned depth) {
  const auto* array = read_json_array(in, error);
  if (array == nullptr)
    return false;
  out.clear();
  for (std::size_t i = 0; i < array->size(); ++i) {
    typename List::value_type one{};
    if (!read_json((*array)[i], one, error, depth)) {
      prepend_index(error, i);
      return false;
    }
    out.push_back(std::move(one));
  }
  return true;
}

template <class Map>
[[nodiscard]] bool read_json_map(const boost::json::value& in, Map& out, decode_error& error,
                                 unsigned depth) {
  const auto* object = read_json_object(in, error);
  if (object == nullptr)
    return false;
  out.clear();
  for (const auto& member : *object) {
    std::string_view name{member.key().data(), member.key().size()};
    typename Map::key_type key{};
    typename Map::mapped_type mapped{};
    if (!read_json_key(name, key, error) || !read_json(member.value(), mapped, error, depth)) {
      prepend_field(error, print_text(name));
      return false;
    }
    if (!out.emplace(std::move(key), std::move(mapped)).second)
      return fail_json(error, "two members are the same key");
  }
  return true;
}

template <class Struct>
[[nodiscard]] bool read_json_struct(const boost::json::value& in, Struct& out, decode_error& error,
                                    unsigned depth) {
  if (depth >= max_struct_depth)
    return fail_json(error, "structs are nested deeper than " + std::to_string(max_struct_depth));
  const auto* object = read_json_object(in, error);
  if (object == nullptr)
    return false;
  std::string_view names[field_count<Struct> + 1];
  std::size_t count = 0;
  bool fine = all_fields<Struct>([&](auto field) {
    names[count++] = field.name;
    auto& member = out.*field.pointer;
    const auto* value = object->if_contains(field.name);
    if (value != nullptr ? read_json(*value, member, error, depth + 1)
                         : shape_of<std::remove_reference_t<decltype(member)>> == shape::optional ||
                               fail_json(error, "this field is missing"))
      return true;
    prepend_field(error, field.name);
    return false;
  });
  return fine && refuse_json_member(*object, names, count, error);
}

template <class T>
bool read_json(const boost::json::value& in, T& out, decode_error& error, unsigned depth) {
  constexpr auto kind = shape_of<T>;
  if constexpr (kind == shape::boolean) {
    return read_json_bool(in, out, error);
  } else if constexpr (kind == shape::integer) {
    return read_json_count(in, out, error);
  } else if constexpr (kind == shape::real) {
    double wide = 0;
    if (!read_json_real(in, static_cast<double>(std::numeric_limits<T>::max()), wide, error))
      return false;
    out = static_cast<T>(wide);
    return true;
  } else if constexpr (kind == shape::enumeration || kind == shape::id || kind == shape::text) {
    std::string_view text;
    if (!read_json_text(in, text, error))
      return false;
    if constexpr (kind == shape::enumeration)
      return read_json_enum(text, out, error);
    else if constexpr (kind == shape::id)
      return read_json_id(text, out, error);
    else
      out = text;
    return true;
  } else if constexpr (kind == shape::byte_string) {
    return read_json_bytes(in, out, error);
  } else if constexpr (kind == shape::optional) {
    out.reset();
    return in.is_null() || read_json(in, out.emplace(), error, depth);
  } else if constexpr (kind == shape::list) {
    return read_json_list(in, out, error, depth);
  } else if constexpr (kind == shape::map) {
    return read_json_map(in, out, error, depth);
  } else if constexpr (kind == shape::time) {
    using count = typename T::rep;
    std::int64_t ticks = 0;
    if (!read_json_time(in, T::period::num, T::period::den, std::numeric_limits<count>::min(),
                        std::numeric_limits<count>::max(), ticks, error))
      return false;
    out = T{typename T::duration{static_cast<count>(ticks)}};
    return true;
  } else if constexpr (kind == shape::duration) {
    typename T::rep count = 0;
    if (!read_json_count(in, count, error))
      return false;
    out = T{count};
    return true;
  } else if constexpr (kind == shape::secret) {
    return read_json(in, out.reveal_to_fill(), error, depth);
  } else {
    return read_json_struct(in, out, error, depth);
  }
}

}  // namespace internal

template <described T>
[[nodiscard]] boost::json::value json_of(const T& value) {
  return internal::json_erased(&value, &internal::visit_erased<T>);
}

/// Reads a `T`. A member that `T` does not have is an error, and so is a field that is missing,
/// unless it is optional; numbers must fit. Errors name the field and never repeat the value.
template <described T>
[[nodiscard]] result<T, decode_error> from_json(const boost::json::value& in) {
  decode_error error;
  try {
    result<T, decode_error> out{boost::system::in_place_value};
    if (internal::read_json(in, *out, error, 0))
      return out;
  } catch (const std::exception& e) {
    error.reason = e.what();
  }
  error.type = type_name<T>();
  return error;
}

}  // namespace microlith
