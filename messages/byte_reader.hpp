#pragma once

// The cereal archive that messages are read through: the counterpart of byte_writer.hpp, for input
// that nobody vouches for.
//
// The first thing that is wrong ends the reading; `failed()` tells, and what was read is worthless
// then. Nothing is thrown for bad input, and no more memory is taken than the bytes left justify: a
// length is checked against the smallest encoding of that many elements, and room is reserved in
// advance for at most as many bytes of memory as there are bytes left. For one thread.

#include <microlith/messages/byte_writer.hpp>
#include <microlith/messages/decode_error.hpp>
#include <microlith/messages/describe.hpp>
#include <microlith/messages/secret.hpp>

#include <cereal/cereal.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace microlith {

namespace internal {

/// The fewest bytes that a field of type `T` is encoded in; never 0.
template <class T>
consteval std::size_t smallest_encoding() {
  constexpr auto kind = shape_of<T>;
  if constexpr (kind == shape::boolean || kind == shape::optional) {
    return 1;
  } else if constexpr (kind == shape::integer || kind == shape::real ||
                       kind == shape::enumeration) {
    return sizeof(T);
  } else if constexpr (kind == shape::time || kind == shape::duration) {
    return sizeof(std::int64_t);
  } else if constexpr (kind == shape::id) {
    return 16;
  } else if constexpr (kind == shape::secret) {
    return smallest_encoding<std::remove_cvref_t<decltype(std::declval<const T&>().reveal())>>();
  } else if constexpr (kind == shape::structure) {
    std::size_t size = field_count<T> == 0 ? 1 : 0;
    all_fields<T>([&](auto field) {
      size += smallest_encoding<field_type<T, decltype(field)>>();
      return true;
    });
    return size;
  } else {
    return sizeof(length_prefix);
  }
}

}  // namespace internal

class byte_reader : public cereal::InputArchive<byte_reader> {
 public:
  explicit byte_reader(std::span<const std::byte> in)
      : InputArchive{this}, begin_{in.data()}, next_{in.data()}, end_{in.data() + in.size()} {}

  [[nodiscard]] bool failed() const { return error_ != nullptr; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }

  /// To be called when all is read: what is left over is an error, too.
  [[nodiscard]] bool finish();

  /// After a failure.
  [[nodiscard]] decode_error take_error(std::string_view type);

  /// False if it failed.
  template <class T>
  [[nodiscard]] bool get(T& value) {
    constexpr auto kind = shape_of<T>;
    if constexpr (kind == shape::boolean) {
      std::uint8_t word = 0;
      if (!get_flag(word))
        return false;
      value = word == 1;
      return true;
    } else if constexpr (kind == shape::integer) {
      std::make_unsigned_t<T> word = 0;
      if (!get_word(word))
        return false;
      value = static_cast<T>(word);
      return true;
    } else if constexpr (kind == shape::real) {
      std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t> word = 0;
      if (!get_word(word))
        return false;
      value = std::bit_cast<T>(word);
      return true;
    } else if constexpr (kind == shape::enumeration) {
      return get_enum(value);
    } else if constexpr (kind == shape::text) {
      std::size_t size = 0;
      if (!get_length(size, 1))
        return false;
      value.assign(reinterpret_cast<const char*>(next_), size);
      next_ += size;
      return true;
    } else if constexpr (kind == shape::byte_string) {
      std::size_t size = 0;
      if (!get_length(size, 1))
        return false;
      value.assign(next_, next_ + size);
      next_ += size;
      return true;
    } else if constexpr (kind == shape::optional) {
      std::uint8_t present = 0;
      value.reset();
      return get_flag(present) && (present == 0 || get(value.emplace()));
    } else if constexpr (kind == shape::list) {
      return get_list(value);
    } else if constexpr (kind == shape::map) {
      return get_map(value);
    } else if constexpr (kind == shape::time) {
      typename T::duration since_epoch{};
      if (!get(since_epoch))
        return false;
      value = T{since_epoch};
      return true;
    } else if constexpr (kind == shape::duration) {
      return get_duration(value);
    } else if constexpr (kind == shape::id) {
      return get_id_half(value.high) && get_id_half(value.low);
    } else if constexpr (kind == shape::secret) {
      return get(value.reveal_to_fill());
    } else if constexpr (kind == shape::structure) {
      if constexpr (field_count<T> == 0)
        return get_zero();
      else
        return get_struct(value);
    } else {
      return false;
    }
  }

  /// The fields of a struct, in order. An error names the field that it is in.
  template <described T>
  void get_fields(T& value) {
    all_fields<T>([&](auto field) {
      if (get(value.*field.pointer)) [[likely]]
        return true;
      internal::prepend_field(*error_, field.name);
      return false;
    });
  }

 private:
  // The texts are made out of line: an error costs what it costs, but no reader carries its code.
  bool fail(std::string reason);
  bool fail_short(std::size_t needed);
  bool fail_length(std::size_t length, std::size_t smallest);
  bool fail_enum(std::string number);

  template <class Word>
  bool get_word(Word& word) {
    if (left() < sizeof word) [[unlikely]]
      return fail_short(sizeof word);
    std::memcpy(&word, next_, sizeof word);
    word = internal::little_endian(word);
    next_ += sizeof word;
    return true;
  }

  bool get_id_half(std::uint64_t& word) {
    if (left() < sizeof word) [[unlikely]]
      return fail_short(sizeof word);
    std::memcpy(&word, next_, sizeof word);
    word = internal::big_endian(word);
    next_ += sizeof word;
    return true;
  }

  bool get_flag(std::uint8_t& flag);
  bool get_zero();

  bool get_length(std::size_t& length, std::size_t smallest) {
    length_prefix prefix = 0;
    if (!get_word(prefix))
      return false;
    length = prefix;
    if (length > left() / smallest) [[unlikely]]
      return fail_length(length, smallest);
    return true;
  }

  template <class E>
  bool get_enum(E& value) {
    std::underlying_type_t<E> number{};
    if (!get(number))
      return false;
    value = static_cast<E>(number);
    if (enumerator_name(value).empty()) [[unlikely]] {
      next_ -= sizeof number;
      return fail_enum(std::to_string(number));
    }
    return true;
  }

  template <class Duration>
  bool get_duration(Duration& value) {
    using count = typename Duration::rep;
    std::int64_t number = 0;
    if (!get(number))
      return false;
    if (number < std::numeric_limits<count>::min() || number > std::numeric_limits<count>::max()) {
      next_ -= sizeof number;
      return fail("the count " + std::to_string(number) + " is out of the range of the field");
    }
    value = Duration{static_cast<count>(number)};
    return true;
  }

  template <class List>
  bool get_list(List& list) {
    using element = typename List::value_type;
    std::size_t count = 0;
    list.clear();
    if (!get_length(count, internal::smallest_encoding<element>()))
      return false;
    if constexpr (internal::copied_as_is<element>) {
      list.resize(count);
      if (count > 0)
        std::memcpy(list.data(), next_, count * sizeof(element));
      next_ += count * sizeof(element);
    } else {
      list.reserve(std::min(count, left() / sizeof(element) + 1));
      for (std::size_t i = 0; i < count; ++i) {
        if (!get_element(list)) [[unlikely]] {
          internal::prepend_index(*error_, i);
          return false;
        }
      }
    }
    return true;
  }

  template <class List>
  bool get_element(List& list) {
    if constexpr (std::is_same_v<typename List::value_type, bool>) {
      bool one = false;
      bool fine = get(one);
      list.push_back(one);
      return fine;
    } else {
      return get(list.emplace_back());
    }
  }

  template <class Map>
  bool get_map(Map& map) {
    using key_type = typename Map::key_type;
    using mapped_type = typename Map::mapped_type;
    std::size_t count = 0;
    map.clear();
    constexpr auto smallest =
        internal::smallest_encoding<key_type>() + internal::smallest_encoding<mapped_type>();
    if (!get_length(count, smallest))
      return false;
    for (std::size_t i = 0; i < count; ++i) {
      key_type key{};
      bool fine = get(key);
      if (fine && !map.empty() && !map.key_comp()(std::prev(map.end())->first, key))
        fine = fail("the keys of a map must be in ascending order, each once");
      if (!fine || !get(map.emplace_hint(map.end(), std::move(key), mapped_type{})->second)) {
        internal::prepend_index(*error_, i);
        return false;
      }
    }
    return true;
  }

  template <class Struct>
  bool get_struct(Struct& value) {
    if (depth_ >= max_struct_depth)
      return fail("structs are nested deeper than " + std::to_string(max_struct_depth));
    ++depth_;
    (*this)(value);
    --depth_;
    return !failed();
  }

  const std::byte* begin_;
  const std::byte* next_;
  const std::byte* end_;
  unsigned depth_ = 1;  // the struct that the reading begins with
  std::unique_ptr<decode_error> error_;
};

/// What cereal calls for a described struct.
template <described T>
void CEREAL_LOAD_FUNCTION_NAME(byte_reader& in, T& value) {
  in.get_fields(value);
}

}  // namespace microlith
