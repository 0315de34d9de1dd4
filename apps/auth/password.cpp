#include "auth/password.hpp"

#include <sodium.h>

#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>

namespace auth {

namespace {

struct cost_limits {
  unsigned long long operations;
  std::size_t memory_bytes;
};

cost_limits limits_of(password_cost cost) {
  if (cost == password_cost::minimum)
    return {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN};
  return {crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE};
}

std::atomic<password_cost> current_cost{password_cost::interactive};

std::string hash_at(password_cost cost, std::string_view password) {
  char text[crypto_pwhash_STRBYTES];
  auto limits = limits_of(cost);
  if (crypto_pwhash_str_alg(text, password.data(), password.size(), limits.operations,
                            limits.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
    throw std::bad_alloc{};
  return text;
}

// The cost decides how long verifying takes, the text does not: one hash of each cost stands in for
// all users who do not exist.
const std::string& hash_of_nobody(password_cost cost) {
  static const std::string interactive = hash_at(password_cost::interactive, "nobody");
  static const std::string minimum = hash_at(password_cost::minimum, "nobody");
  return cost == password_cost::minimum ? minimum : interactive;
}

std::size_t character_count(std::string_view utf8) {
  std::size_t count = 0;
  for (auto c : utf8)
    count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

void set_password_cost(password_cost cost) {
  if (sodium_init() < 0)
    throw std::runtime_error{"cannot start libsodium: no source of random bytes"};
  current_cost = cost;
  // Made now: the first unknown user would otherwise take twice as long as a known one.
  static_cast<void>(hash_of_nobody(cost));
}

std::optional<register_error> password_error(std::string_view password) {
  if (password.size() > password_limit_bytes)
    return register_error::password_too_long;
  if (character_count(password) < password_minimum_characters)
    return register_error::weak_password;
  return std::nullopt;
}

std::string hash_password(std::string_view password) {
  return hash_at(current_cost, password);
}

bool verify_password(std::string_view hash, std::string_view password) {
  auto nobody = hash.empty();
  const std::string text{nobody ? std::string_view{hash_of_nobody(current_cost)} : hash};
  auto matches = crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0;
  return matches && !nobody;
}

}  // namespace auth
