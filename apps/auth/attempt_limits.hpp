#pragma once

// How often somebody may try to sign in, and to register.
//
// Sign-ins are counted by address, and by pair of e-mail and address; never by e-mail alone, or
// anybody could lock anybody out. Pure, bounded in memory, not thread-safe.

#include "auth/http/ip_address.hpp"
#include "auth/sliding_window.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace auth {

inline constexpr std::size_t failed_sign_ins_per_pair = 10;
inline constexpr std::size_t failed_sign_ins_per_address = 100;

class attempt_limits {
 public:
  using time = sliding_window::time;

  explicit attempt_limits(std::size_t registrations_per_minute);

  /// An attempt that has been counted as failed, ahead of its outcome.
  struct attempt {
    std::string pair;
    std::string address;
    time at;
  };

  /// What has been admitted, or how long to wait.
  struct admission {
    std::optional<attempt> admitted;
    std::chrono::seconds retry_after{0};
  };

  /// Counts before anything is hashed, so that parallel guesses are counted, too.
  [[nodiscard]] admission begin_sign_in(std::string_view email, const http::ip_address& client,
                                        time now);

  /// The attempt has not failed after all.
  void forgive(const attempt& attempt);

  /// Zero if the registration is admitted (and counted), otherwise how long to wait.
  [[nodiscard]] std::chrono::seconds begin_registration(const http::ip_address& client, time now);

 private:
  sliding_window by_pair_{failed_sign_ins_per_pair};
  sliding_window by_address_{failed_sign_ins_per_address};
  sliding_window registrations_;
};

}  // namespace auth
