#pragma once

// Passwords: what is acceptable, and Argon2id hashes of them (libsodium).
//
// Hashing and verifying take tens of milliseconds and 64 MiB at the interactive cost: they belong
// in a decider's `prepare`, whose workers bound both. Any thread, once `set_password_cost` has
// returned.

#include "auth/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace auth {

inline constexpr std::size_t password_minimum_characters = 8;
inline constexpr std::size_t password_limit_bytes = 1024;

enum class password_cost : std::uint8_t {
  interactive,  ///< libsodium's crypto_pwhash_*_INTERACTIVE: 64 MiB
  minimum,      ///< the least that libsodium accepts: for tests, protects nothing
};

/// What hashing costs in this process from now on; interactive until it is called. Called once,
/// before anything hashes: `prepare` is a free function and has no other place to learn it from.
void set_password_cost(password_cost cost);

/// What is wrong with a new password, if anything.
[[nodiscard]] std::optional<register_error> password_error(std::string_view password);

/// A salted hash that names its own cost. Throws `std::bad_alloc` where memory is short.
[[nodiscard]] std::string hash_password(std::string_view password);

/// Whether `hash` was made of `password`. An empty hash stands for nobody: that takes as long as a
/// hash of the present cost does, and is never true.
[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);

}  // namespace auth
