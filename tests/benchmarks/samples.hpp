#pragma once

// The messages that the benchmarks send: a registration of about 130 bytes, as the bare programs
// have it.

#include <microlith/messages/message_type.hpp>

#include <boost/describe.hpp>

#include <string>

namespace samples {

struct registered {
  using message = microlith::event<"bench.registered">;
  std::string email;
  std::string password_hash;
  int role = 0;
};
BOOST_DESCRIBE_STRUCT(registered, (), (email, password_hash, role))

struct register_user {
  using message = microlith::command<"bench.register_user">;
  std::string email;
  std::string password_hash;
  int role = 0;
};
BOOST_DESCRIBE_STRUCT(register_user, (), (email, password_hash, role))

struct pong {
  using message = microlith::response<"bench.pong">;
  std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(pong, (), (number))

struct ping {
  using message = microlith::query<"bench.ping", pong>;
  std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(ping, (), (number))

struct account {
  static constexpr std::string_view stream = "bench.account";
  bool exists = false;
};
BOOST_DESCRIBE_STRUCT(account, (), (exists))

inline std::string stream_key(const register_user& c) {
  return c.email;
}
inline registered decide(const account&, const register_user& c) {
  return {.email = c.email, .password_hash = c.password_hash, .role = c.role};
}
inline account evolve(account, const registered&) {
  return {.exists = true};
}

inline register_user make_command(std::uint64_t number) {
  return {.email = "user" + std::to_string(number) + "@example.org",
          .password_hash = "$argon2id$v=19$m=65536,t=2,p=1$abcdefghijklmnop$abcdefghijklmnop",
          .role = 1};
}

}  // namespace samples
