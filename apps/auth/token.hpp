#pragma once

// Sign-in tokens: the secret in the cookie, and its hash, by which everybody else knows the
// sign-in. Pure but for the random bytes; any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace auth {

inline constexpr std::size_t token_size_bytes = 32;

/// 32 random bytes, base64url without padding: 43 characters.
[[nodiscard]] std::string make_token();

/// Whether it has the form of a token; what a client sends may be anything.
[[nodiscard]] bool is_token(std::string_view text);

/// BLAKE2b-256 of the token, 64 hexadecimal digits. No salt or key: 256 random bits cannot be
/// guessed.
[[nodiscard]] std::string sid_of(std::string_view token);

}  // namespace auth
