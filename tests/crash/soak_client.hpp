#pragma once

// One user agent of the soak: registers, signs in, asks who it is, signs out, and says what it was
// told that cannot be.
//
// A request ends with an answer, or clearly without one (503, 504, a connection that ends); any
// other end, and none at all within a limit, is a problem. What was not answered is asked again.
// One thread a client.

#include "support/http_client.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::test {

struct soak_user {
  std::string email;
  std::string password;
  std::string key;  ///< of its registration; empty: it is sent without one
  bool is_acknowledged = false;
  std::uint64_t acknowledged_sign_ins = 0;
};

struct soak_counts {
  std::uint64_t requests = 0;
  std::uint64_t answered = 0;
};

class soak_client {
 public:
  /// `number` tells its users from those of others.
  soak_client(std::uint16_t port, unsigned number, std::uint64_t seed);

  /// Does one thing or another.
  void act();

  /// When everything is well: what was left open is done again until it is answered, and all who
  /// were told that they are registered sign in.
  void settle();

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::vector<soak_user>& users() const { return users_; }
  [[nodiscard]] const soak_counts& counts() const { return counts_; }

 private:
  struct sign_in {
    std::string email;
    std::string cookie;
    std::chrono::steady_clock::time_point since;
  };

  /// Nothing: it was clearly not answered.
  [[nodiscard]] std::optional<http_response> call(std::string_view method, std::string_view path,
                                                  std::string_view body,
                                                  std::vector<std::string> headers);
  void wrong(std::string_view what, std::string_view who, const http_response& told);

  bool register_user(soak_user& user);  ///< whether it was answered
  bool log_in(soak_user& user);
  void ask_who(const sign_in& as, bool is_over);
  void log_out();

  std::uint16_t port_;
  std::string prefix_;
  std::mt19937_64 random_;
  std::unique_ptr<http_client> connection_;
  std::vector<soak_user> users_;
  std::vector<std::size_t> open_;  ///< of users: whose registration was not answered
  std::vector<sign_in> signed_in_;
  std::vector<sign_in> signed_out_;
  soak_counts counts_;
  std::string problem_;
};

}  // namespace microlith::test
