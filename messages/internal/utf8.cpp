#include <microlith/messages/internal/utf8.hpp>

namespace microlith::internal {

utf8_step next_utf8(std::string_view text) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned lead = at(0);
  if (lead < 0x80)
    return {lead, 1, true};
  std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size)
    return {};
  char32_t code_point = lead & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80)
      return {};
    code_point = (code_point << 6) | (at(i) & 0x3F);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < smallest[size] || surrogate || code_point > 0x10FFFF)
    return {};
  return {code_point, size, true};
}

std::string as_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto step = next_utf8(text);
    if (step.valid)
      out += text.substr(0, step.size_bytes);
    else
      out += "\xEF\xBF\xBD";
    text.remove_prefix(step.size_bytes);
  }
  return out;
}

}  // namespace microlith::internal
