#include "auth/token.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace auth {

namespace {

constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::size_t token_characters = sodium_base64_ENCODED_LEN(token_size_bytes, variant) - 1;

bool is_base64url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

std::string make_token() {
  std::array<unsigned char, token_size_bytes> random{};
  randombytes_buf(random.data(), random.size());
  std::string text(token_characters + 1, '\0');
  sodium_bin2base64(text.data(), text.size(), random.data(), random.size(), variant);
  sodium_memzero(random.data(), random.size());
  text.pop_back();
  return text;
}

bool is_token(std::string_view text) {
  return text.size() == token_characters && std::all_of(text.begin(), text.end(), is_base64url);
}

std::string sid_of(std::string_view token) {
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(token.data()),
                     token.size(), nullptr, 0);
  std::string text(2 * hash.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  text.pop_back();
  return text;
}

}  // namespace auth
