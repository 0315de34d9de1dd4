#pragma once

// Described structs to bytes and back. README.md draws the bytes.
//
// Free functions over values; any of them may be called from any thread. Decoding takes any input:
// what is wrong with it comes back as a value, and no exception leaves it.

#include <microlith/messages/byte_reader.hpp>
#include <microlith/messages/byte_writer.hpp>
#include <microlith/messages/decode_error.hpp>
#include <microlith/messages/describe.hpp>
#include <microlith/messages/result.hpp>

#include <cassert>
#include <exception>
#include <span>
#include <utility>

namespace microlith {

/// Appends `value` to `out`. Throws std::logic_error for what could not be read back
/// (encoded_size); `out` is then as it was.
template <described T>
void encode_to(bytes& out, const T& value) {
  const auto before = out.size();
  const auto size = encoded_size(value);
  out.resize(before + size);
  // Making an archive costs more than writing a small message.
  thread_local byte_writer writer;
  writer.begin(std::span{out}.subspan(before));
  writer(value);
  assert(writer.left() == 0);
}

template <described T>
[[nodiscard]] bytes encode(const T& value) {
  bytes out;
  encode_to(out, value);
  return out;
}

/// Reads one `T` that takes up all of `in`.
template <described T>
[[nodiscard]] result<T, decode_error> decode(std::span<const std::byte> in) {
  try {
    result<T, decode_error> out{boost::system::in_place_value};
    byte_reader reader{in};
    reader(*out);
    if (!reader.finish()) [[unlikely]]
      return reader.take_error(type_name<T>());
    return out;
  } catch (const std::exception& e) {
    // Memory ran out, or a default member initializer threw.
    return decode_error{std::string{type_name<T>()}, {}, decode_error::nowhere, e.what()};
  }
}

/// The same into a `T` that is there, whose memory is used again; after an error it is worthless.
template <described T>
[[nodiscard]] result<void, decode_error> decode_into(T& value, std::span<const std::byte> in) {
  try {
    byte_reader reader{in};
    reader(value);
    if (!reader.finish()) [[unlikely]]
      return reader.take_error(type_name<T>());
    return {};
  } catch (const std::exception& e) {
    return decode_error{std::string{type_name<T>()}, {}, decode_error::nowhere, e.what()};
  }
}

}  // namespace microlith
