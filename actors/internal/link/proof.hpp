#pragma once

// Proofs of knowing a secret, and random bytes. Any thread.

#include <microlith/messages/secret.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace microlith::internal {

inline constexpr std::size_t proof_bytes = 32;
inline constexpr std::size_t nonce_bytes = 32;

using link_proof = std::array<std::byte, proof_bytes>;
using link_nonce = std::array<std::byte, nonce_bytes>;

/// HMAC-SHA-256 (RFC 2104) of the parts, each preceded by its length, so that none can pass for
/// another one's end.
[[nodiscard]] link_proof prove(const secret<std::string>& key, std::string_view role,
                               std::initializer_list<std::span<const std::byte>> parts);

[[nodiscard]] bool same_proof(std::span<const std::byte> left, std::span<const std::byte> right);

/// From the machine's source of secrets; ends the process if it has none.
void fill_with_random(std::span<std::byte> to);

}  // namespace microlith::internal
