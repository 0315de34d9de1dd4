#include <microlith/persistence/derived_id.hpp>
#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>

#include <string>

namespace microlith {

message_id derived_id(message_id from, std::string_view purpose, std::uint64_t number) {
  constexpr std::uint64_t time_bits = 0xFFFF'FFFF'FFFF'0000;
  constexpr std::uint64_t fraction_bits = 0x0FFF;
  constexpr std::uint64_t variant_bits = std::uint64_t{3} << 62;
  std::string text(24, '\0');
  auto* p = reinterpret_cast<std::byte*>(text.data());
  internal::store_id_le(p, from);
  internal::store_le(p + 16, number);
  text += purpose;
  auto hash = internal::hash_name(text);
  return {(from.high & time_bits) | std::uint64_t{0x7000} | (hash.high & fraction_bits),
          (hash.low & ~variant_bits) | std::uint64_t{1} << 63};
}

}  // namespace microlith
