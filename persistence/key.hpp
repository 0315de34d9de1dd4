#pragma once

// Keys of projection tables: encoded so that comparing bytes compares values.
//
// A key is an integer, bool, enum, string, byte string, id, time point, or a pair or tuple of
// those. Integers are big-endian, signed ones with the sign bit flipped. Strings and byte strings
// end with 00 00, and a zero byte in them is written as 00 FF, so that the encoding of the first
// members of a tuple is a prefix of the encoding of the whole. Values; any thread.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/identity.hpp>
#include <microlith/persistence/error.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace microlith {

/// Longest encoded key.
inline constexpr std::size_t max_key_bytes = 511;

/// An encoded key under construction. Throws storage_exception past `max_key_bytes`.
class key_buffer {
 public:
  void append(std::byte value) {
    reserve(1);
    data_[size_++] = value;
  }
  void append_big_endian(std::uint64_t value, std::size_t size_bytes) {
    reserve(size_bytes);
    for (std::size_t i = size_bytes; i-- > 0; value >>= 8)
      data_[size_ + i] = static_cast<std::byte>(value & 0xFF);
    size_ += size_bytes;
  }
  void append_escaped(std::span<const std::byte> text) {
    for (std::byte value : text) {
      append(value);
      if (value == std::byte{0})
        append(std::byte{0xFF});
    }
    append(std::byte{0});
    append(std::byte{0});
  }
  [[nodiscard]] std::span<const std::byte> view() const { return {data_.data(), size_}; }

 private:
  void reserve(std::size_t more) const {
    if (size_ + more > max_key_bytes)
      refuse();
  }
  [[noreturn]] static void refuse();

  std::array<std::byte, max_key_bytes> data_;
  std::size_t size_ = 0;
};

/// What is left of an encoded key.
class key_reader {
 public:
  explicit key_reader(std::span<const std::byte> key) : rest_{key} {}

  [[nodiscard]] bool big_endian(std::uint64_t& value, std::size_t size_bytes);
  [[nodiscard]] bool escaped(std::string& text);
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

/// How one type of key is encoded. Specialize it for a type of your own.
template <class T>
struct key_codec {
  static constexpr bool supported = false;
};

template <class T>
concept key_type = key_codec<T>::supported;

template <class T>
  requires std::integral<T> || std::is_enum_v<T>
struct key_codec<T> {
  static constexpr bool supported = true;
  static constexpr std::uint64_t sign =
      std::is_signed_v<T> ? std::uint64_t{1} << (8 * sizeof(T) - 1) : 0;
  static constexpr std::string_view name = std::is_signed_v<T> ? "signed" : "unsigned";

  static void encode(key_buffer& out, T value) {
    out.append_big_endian(static_cast<std::uint64_t>(value) ^ sign, sizeof(T));
  }
  static bool decode(key_reader& in, T& value) {
    std::uint64_t raw = 0;
    if (!in.big_endian(raw, sizeof(T)))
      return false;
    value = static_cast<T>(raw ^ sign);
    return true;
  }
};

template <>
struct key_codec<std::string> {
  static constexpr bool supported = true;
  static constexpr std::string_view name = "string";
  static void encode(key_buffer& out, std::string_view value) {
    out.append_escaped(std::as_bytes(std::span{value.data(), value.size()}));
  }
  static bool decode(key_reader& in, std::string& value) { return in.escaped(value); }
};

template <>
struct key_codec<bytes> {
  static constexpr bool supported = true;
  static constexpr std::string_view name = "bytes";
  static void encode(key_buffer& out, const bytes& value) { out.append_escaped(value); }
  static bool decode(key_reader& in, bytes& value) {
    std::string text;
    if (!in.escaped(text))
      return false;
    auto raw = std::as_bytes(std::span{text.data(), text.size()});
    value.assign(raw.begin(), raw.end());
    return true;
  }
};

template <class Role>
struct key_codec<basic_id<Role>> {
  static constexpr bool supported = true;
  static constexpr std::string_view name = "id";
  static void encode(key_buffer& out, const basic_id<Role>& value) {
    out.append_big_endian(value.high, 8);
    out.append_big_endian(value.low, 8);
  }
  static bool decode(key_reader& in, basic_id<Role>& value) {
    return in.big_endian(value.high, 8) && in.big_endian(value.low, 8);
  }
};

template <class Duration>
struct key_codec<std::chrono::sys_time<Duration>> {
  using time = std::chrono::sys_time<Duration>;
  static constexpr bool supported = true;
  static constexpr std::string_view name = "time";
  static void encode(key_buffer& out, time value) {
    key_codec<std::int64_t>::encode(out,
                                    static_cast<std::int64_t>(value.time_since_epoch().count()));
  }
  static bool decode(key_reader& in, time& value) {
    std::int64_t count = 0;
    if (!key_codec<std::int64_t>::decode(in, count))
      return false;
    value = time{Duration{static_cast<typename Duration::rep>(count)}};
    return true;
  }
};

template <key_type... Ts>
struct key_codec<std::tuple<Ts...>> {
  static constexpr bool supported = true;
  static constexpr std::string_view name = "tuple";
  static void encode(key_buffer& out, const std::tuple<Ts...>& value) {
    std::apply([&](const Ts&... members) { (key_codec<Ts>::encode(out, members), ...); }, value);
  }
  static bool decode(key_reader& in, std::tuple<Ts...>& value) {
    return std::apply([&](Ts&... members) { return (key_codec<Ts>::decode(in, members) && ...); },
                      value);
  }
};

template <key_type A, key_type B>
struct key_codec<std::pair<A, B>> {
  static constexpr bool supported = true;
  static constexpr std::string_view name = "pair";
  static void encode(key_buffer& out, const std::pair<A, B>& value) {
    key_codec<A>::encode(out, value.first);
    key_codec<B>::encode(out, value.second);
  }
  static bool decode(key_reader& in, std::pair<A, B>& value) {
    return key_codec<A>::decode(in, value.first) && key_codec<B>::decode(in, value.second);
  }
};

template <key_type T>
[[nodiscard]] key_buffer encode_key(const T& value) {
  key_buffer out;
  key_codec<T>::encode(out, value);
  return out;
}

/// False where the bytes are no key of that type, or more than one.
template <key_type T>
[[nodiscard]] bool decode_key(std::span<const std::byte> key, T& value) {
  key_reader in{key};
  return key_codec<T>::decode(in, value) && in.at_end();
}

/// What a table's keys look like, as text: part of a projection's fingerprint.
template <key_type T>
struct key_text {
  static std::string get() {
    std::string text{key_codec<T>::name};
    if constexpr (std::integral<T> || std::is_enum_v<T>)
      text += std::to_string(8 * sizeof(T));
    return text;
  }
};
template <key_type... Ts>
struct key_text<std::tuple<Ts...>> {
  static std::string get() {
    std::string text{"("};
    ((text += key_text<Ts>::get(), text += ' '), ...);
    return text += ')';
  }
};
template <key_type A, key_type B>
struct key_text<std::pair<A, B>> : key_text<std::tuple<A, B>> {};

}  // namespace microlith
