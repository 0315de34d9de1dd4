#pragma once

// The cereal archive that messages are written through: little-endian, fixed width, into a
// contiguous buffer that is known to be large enough (README.md draws the bytes).
//
// `encoded_size` measures first, so writing needs no bound check and no growing. For one thread.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/secret.hpp>

#include <cereal/cereal.hpp>

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

namespace microlith {

/// What precedes a string, byte string, list or map: its number of bytes or elements.
using length_prefix = std::uint32_t;

namespace internal {

[[noreturn]] void refuse_length(std::size_t length);
[[noreturn]] void refuse_depth();
[[noreturn]] void refuse_enumerator(const std::string& number);

inline std::size_t checked_length(std::size_t length) {
  if (length > std::numeric_limits<length_prefix>::max())
    refuse_length(length);
  return length;
}

template <class T>
constexpr T little_endian(T value) {
  if constexpr (std::endian::native == std::endian::big && sizeof(T) > 1) {
    T swapped = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      swapped = static_cast<T>((swapped << 8) | ((value >> (8 * i)) & 0xFF));
    return swapped;
  } else {
    return value;
  }
}

/// As bytes in the order of RFC 9562, in which ids are written.
constexpr std::uint64_t big_endian(std::uint64_t value) {
  return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

/// Numbers whose bytes in memory are those on the wire, so that a list of them is copied at once.
template <class T>
inline constexpr bool copied_as_is = (shape_of<T> == shape::integer ||
                                      shape_of<T> == shape::real) &&
                                     (std::endian::native == std::endian::little || sizeof(T) == 1);

}  // namespace internal

/// The number of bytes that `value` is encoded in. Throws std::logic_error for what could not be
/// read back: a string or container of 2^32 elements, an enum value that is no enumerator, a
/// recursive struct nested deeper than max_struct_depth.
template <class T>
[[nodiscard]] std::size_t encoded_size(const T& value, unsigned depth = 0) {
  constexpr auto kind = shape_of<T>;
  if constexpr (kind == shape::boolean) {
    return 1;
  } else if constexpr (kind == shape::integer || kind == shape::real) {
    return sizeof(T);
  } else if constexpr (kind == shape::enumeration) {
    if (enumerator_name(value).empty()) [[unlikely]]
      internal::refuse_enumerator(std::to_string(static_cast<std::underlying_type_t<T>>(value)));
    return sizeof(T);
  } else if constexpr (kind == shape::text || kind == shape::byte_string) {
    return sizeof(length_prefix) + internal::checked_length(value.size());
  } else if constexpr (kind == shape::optional) {
    return value ? 1 + encoded_size(*value, depth) : 1;
  } else if constexpr (kind == shape::list) {
    auto size = sizeof(length_prefix);
    auto count = internal::checked_length(value.size());
    using element = typename T::value_type;
    if constexpr (shape_of<element> == shape::boolean || shape_of<element> == shape::integer ||
                  shape_of<element> == shape::real) {
      return size + count * sizeof(element);
    } else {
      for (const auto& one : value)
        size += encoded_size(one, depth);
      return size;
    }
  } else if constexpr (kind == shape::map) {
    auto size = sizeof(length_prefix);
    internal::checked_length(value.size());
    for (const auto& [key, mapped] : value)
      size += encoded_size(key, depth) + encoded_size(mapped, depth);
    return size;
  } else if constexpr (kind == shape::time || kind == shape::duration) {
    return sizeof(std::int64_t);
  } else if constexpr (kind == shape::id) {
    return 16;
  } else if constexpr (kind == shape::secret) {
    return encoded_size(value.reveal(), depth);
  } else if constexpr (kind == shape::structure) {
    if (depth >= max_struct_depth)
      internal::refuse_depth();
    std::size_t size = field_count<T> == 0 && depth > 0 ? 1 : 0;
    all_fields<T>([&](auto field) {
      size += encoded_size(value.*field.pointer, depth + 1);
      return true;
    });
    return size;
  } else {
    return 0;
  }
}

class byte_writer : public cereal::OutputArchive<byte_writer> {
 public:
  byte_writer() : OutputArchive{this} {}

  /// Writes from the beginning of `room`, which has `encoded_size` bytes of what will be written.
  void begin(std::span<std::byte> room) {
    next_ = room.data();
    end_ = room.data() + room.size();
  }

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }

  template <class T>
  void put(const T& value) {
    constexpr auto kind = shape_of<T>;
    if constexpr (kind == shape::boolean) {
      put_word(static_cast<std::uint8_t>(value ? 1 : 0));
    } else if constexpr (kind == shape::integer) {
      put_word(static_cast<std::make_unsigned_t<T>>(value));
    } else if constexpr (kind == shape::real) {
      put_word(
          std::bit_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(value));
    } else if constexpr (kind == shape::enumeration) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (kind == shape::text || kind == shape::byte_string) {
      put_length(value.size());
      put_raw(value.data(), value.size());
    } else if constexpr (kind == shape::optional) {
      put(value.has_value());
      if (value)
        put(*value);
    } else if constexpr (kind == shape::list) {
      put_list(value);
    } else if constexpr (kind == shape::map) {
      put_length(value.size());
      for (const auto& [key, mapped] : value) {
        put(key);
        put(mapped);
      }
    } else if constexpr (kind == shape::time) {
      put(static_cast<std::int64_t>(value.time_since_epoch().count()));
    } else if constexpr (kind == shape::duration) {
      put(static_cast<std::int64_t>(value.count()));
    } else if constexpr (kind == shape::id) {
      // So that a dump shows what the text form shows.
      const std::uint64_t both[2] = {internal::big_endian(value.high),
                                     internal::big_endian(value.low)};
      put_raw(both, sizeof both);
    } else if constexpr (kind == shape::secret) {
      put(value.reveal());
    } else if constexpr (kind == shape::structure) {
      // One byte, so that every element of a list takes room and a length can be checked against
      // it.
      if constexpr (field_count<T> == 0)
        put_word(std::uint8_t{0});
      else
        (*this)(value);
    }
  }

 private:
  void put_raw(const void* from, std::size_t size) {
    assert(size <= left());
    if (size > 0)
      std::memcpy(next_, from, size);
    next_ += size;
  }

  template <class Word>
  void put_word(Word word) {
    word = internal::little_endian(word);
    put_raw(&word, sizeof word);
  }

  void put_length(std::size_t length) { put_word(static_cast<length_prefix>(length)); }

  template <class List>
  void put_list(const List& list) {
    using element = typename List::value_type;
    put_length(list.size());
    if constexpr (internal::copied_as_is<element>) {
      put_raw(list.data(), list.size() * sizeof(element));
    } else {
      for (const element& one : list)
        put(one);
    }
  }

  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
};

/// What cereal calls for a described struct.
template <described T>
void CEREAL_SAVE_FUNCTION_NAME(byte_writer& out, const T& value) {
  all_fields<T>([&](auto field) {
    out.put(value.*field.pointer);
    return true;
  });
}

}  // namespace microlith
