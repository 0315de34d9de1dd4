#include <microlith/persistence/key.hpp>

namespace microlith {

void key_buffer::refuse() {
  throw storage_exception{{storage_error_kind::unusable,
                           "a key of a table is longer than " + std::to_string(max_key_bytes) +
                               " bytes when encoded: use a shorter one, such as a hash"}};
}

bool key_reader::big_endian(std::uint64_t& value, std::size_t size_bytes) {
  if (rest_.size() < size_bytes)
    return false;
  value = 0;
  for (std::size_t i = 0; i < size_bytes; ++i)
    value = (value << 8) | std::to_integer<std::uint64_t>(rest_[i]);
  rest_ = rest_.subspan(size_bytes);
  return true;
}

bool key_reader::escaped(std::string& text) {
  text.clear();
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    if (rest_[i] != std::byte{0}) {
      text += static_cast<char>(rest_[i]);
      continue;
    }
    if (++i == rest_.size())
      return false;
    if (rest_[i] == std::byte{0}) {
      rest_ = rest_.subspan(i + 1);
      return true;
    }
    if (rest_[i] != std::byte{0xFF})
      return false;
    text += '\0';
  }
  return false;
}

}  // namespace microlith
