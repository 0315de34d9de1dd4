#pragma once

// An IP address as a value, IPv4 in its IPv6-mapped form, so that both spellings of one are equal.
// Pure functions, any thread.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace auth::http {

struct ip_address {
  std::array<std::uint8_t, 16> bytes{};

  /// "192.0.2.1" or "2001:db8::1"; no port, brackets or zone.
  [[nodiscard]] static std::optional<ip_address> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_loopback() const;
  /// 0.0.0.0 or ::
  [[nodiscard]] bool is_unspecified() const;

  friend auto operator<=>(const ip_address&, const ip_address&) = default;
};

[[nodiscard]] std::string to_string(const ip_address& address);

/// What one customer of an internet provider commonly has: an IPv4 address, or an IPv6 /64.
[[nodiscard]] ip_address network_of(const ip_address& address);

}  // namespace auth::http
