#include <microlith/messages/secret.hpp>

namespace microlith::internal {

void wipe(void* memory, std::size_t size_bytes) noexcept {
  // Writes through a volatile pointer are observable behaviour: they stay even where nobody reads.
  auto* next = static_cast<volatile unsigned char*>(memory);
  while (size_bytes-- > 0)
    *next++ = 0;
}

bool equal_in_constant_time(const void* left, std::size_t left_bytes, const void* right,
                            std::size_t right_bytes) noexcept {
  if (left_bytes != right_bytes)
    return false;
  const auto* a = static_cast<const volatile unsigned char*>(left);
  const auto* b = static_cast<const volatile unsigned char*>(right);
  unsigned difference = 0;
  for (std::size_t i = 0; i < left_bytes; ++i)
    difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace microlith::internal
