#include <microlith/actors/internal/link/proof.hpp>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdint>
#include <exception>
#include <vector>

namespace microlith::internal {

link_proof prove(const secret<std::string>& key, std::string_view role,
                 std::initializer_list<std::span<const std::byte>> parts) {
  std::vector<std::byte> text;
  auto add = [&](std::span<const std::byte> part) {
    for (std::size_t i = 0; i < 4; ++i)
      text.push_back(static_cast<std::byte>(part.size() >> (8 * i)));
    text.insert(text.end(), part.begin(), part.end());
  };
  add(std::as_bytes(std::span{role.data(), role.size()}));
  for (auto part : parts)
    add(part);
  link_proof made;
  unsigned size = proof_bytes;
  const auto& bytes = key.reveal();
  if (HMAC(EVP_sha256(), bytes.data(), static_cast<int>(bytes.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(made.data()), &size) == nullptr)
    std::terminate();
  return made;
}

bool same_proof(std::span<const std::byte> left, std::span<const std::byte> right) {
  return equal_in_constant_time(left.data(), left.size(), right.data(), right.size());
}

void fill_with_random(std::span<std::byte> to) {
  // A nonce that can be guessed would be worse than no process.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(to.data()), static_cast<int>(to.size())) != 1)
    std::terminate();
}

}  // namespace microlith::internal
