#pragma once

// Integers to bytes and back: little-endian in records and values, big-endian in keys.

#include <microlith/messages/identity.hpp>
#include <microlith/persistence/internal/stream_key.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace microlith::internal {

template <std::unsigned_integral T>
[[nodiscard]] constexpr T byte_swapped(T value) {
  // Spelled out for each width: compilers do not make one instruction of the loop.
  if constexpr (sizeof(T) == 8)
    return __builtin_bswap64(value);
  else if constexpr (sizeof(T) == 4)
    return __builtin_bswap32(value);
  else if constexpr (sizeof(T) == 2)
    return __builtin_bswap16(value);
  else
    return value;
}

template <std::unsigned_integral T>
void store_le(std::byte* out, T value) {
  if constexpr (std::endian::native == std::endian::big)
    value = byte_swapped(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
[[nodiscard]] T load_le(const std::byte* in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native == std::endian::big)
    value = byte_swapped(value);
  return value;
}

template <std::unsigned_integral T>
void store_be(std::byte* out, T value) {
  if constexpr (std::endian::native == std::endian::little)
    value = byte_swapped(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
[[nodiscard]] T load_be(const std::byte* in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native == std::endian::little)
    value = byte_swapped(value);
  return value;
}

inline constexpr std::size_t id_bytes = 16;

template <class Id>
void store_id_le(std::byte* out, const Id& id) {
  store_le(out, id.high);
  store_le(out + 8, id.low);
}

template <class Id>
[[nodiscard]] Id load_id_le(const std::byte* in) {
  return {load_le<std::uint64_t>(in), load_le<std::uint64_t>(in + 8)};
}

/// Ids and stream keys alike: in this form bytes compare as the values do.
template <class Id>
void store_id_be(std::byte* out, const Id& id) {
  store_be(out, id.high);
  store_be(out + 8, id.low);
}

template <class Id>
[[nodiscard]] Id load_id_be(const std::byte* in) {
  return {load_be<std::uint64_t>(in), load_be<std::uint64_t>(in + 8)};
}

}  // namespace microlith::internal
