#include <microlith/messages/internal/base64.hpp>

#include <cstdint>

namespace microlith::internal {

namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(std::span<const std::byte> in) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < in.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = (group << 8) | (i + j < in.size() ? std::to_integer<std::uint32_t>(in[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j <= in.size() ? digits[(group >> (18 - 6 * j)) & 0x3F] : '=';
  }
  return out;
}

std::optional<bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t padded = i + 4 == text.size() ? padding : 0;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      auto value = j < 4 - padded ? digits.find(text[i + j]) : 0;
      if (value == std::string_view::npos)
        return std::nullopt;
      group = (group << 6) | static_cast<std::uint32_t>(value);
    }
    if ((group & ((1U << (8 * padded)) - 1)) != 0)
      return std::nullopt;
    for (std::size_t j = 0; j < 3 - padded; ++j)
      out.push_back(static_cast<std::byte>((group >> (16 - 8 * j)) & 0xFF));
  }
  return out;
}

}  // namespace microlith::internal
