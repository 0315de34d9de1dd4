#pragma once

// Equality of described structs, field by field.
//
// Floating-point numbers are equal when their bits are: a NaN equals itself and -0.0 is not 0.0, so
// that what was encoded and decoded always equals what it was. Secrets compare in constant time
// where they are strings. A struct may have an `operator==` of its own as well; `equal` does not
// use it.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/secret.hpp>

#include <bit>
#include <cstdint>
#include <type_traits>

namespace microlith {

template <class T>
[[nodiscard]] bool equal(const T& left, const T& right) {
  if constexpr (shape_of<T> == shape::structure) {
    return all_fields<T>(
        [&](auto field) { return equal(left.*field.pointer, right.*field.pointer); });
  } else if constexpr (shape_of<T> == shape::real) {
    using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return std::bit_cast<word>(left) == std::bit_cast<word>(right);
  } else if constexpr (shape_of<T> == shape::optional) {
    return left.has_value() == right.has_value() && (!left || equal(*left, *right));
  } else if constexpr (shape_of<T> == shape::list) {
    if (left.size() != right.size())
      return false;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const typename T::value_type& a = left[i];
      const typename T::value_type& b = right[i];
      if (!equal(a, b))
        return false;
    }
    return true;
  } else if constexpr (shape_of<T> == shape::map) {
    if (left.size() != right.size())
      return false;
    for (auto a = left.begin(), b = right.begin(); a != left.end(); ++a, ++b) {
      if (a->first != b->first || !equal(a->second, b->second))
        return false;
    }
    return true;
  } else if constexpr (shape_of<T> == shape::secret) {
    if constexpr (internal::byte_sequence<std::remove_cvref_t<decltype(left.reveal())>>)
      return left == right;
    else
      return equal(left.reveal(), right.reveal());
  } else {
    return left == right;
  }
}

}  // namespace microlith
