#include "auth/http/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace auth::http {

namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

std::optional<ip_address> ip_address::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN)
    return std::nullopt;
  const std::string terminated{text};
  ip_address address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1)
    return address;
  std::copy(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), address.bytes.begin());
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + v4_mapped_prefix.size()) == 1)
    return address;
  return std::nullopt;
}

bool ip_address::is_v4() const {
  return std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), bytes.begin());
}

bool ip_address::is_loopback() const {
  static const auto v6_loopback = *parse("::1");
  return is_v4() ? bytes[12] == 127 : *this == v6_loopback;
}

bool ip_address::is_unspecified() const {
  auto first = is_v4() ? bytes.begin() + v4_mapped_prefix.size() : bytes.begin();
  return std::all_of(first, bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string to_string(const ip_address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4())
    inet_ntop(AF_INET, address.bytes.data() + v4_mapped_prefix.size(), text, sizeof text);
  else
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

ip_address network_of(const ip_address& address) {
  auto network = address;
  if (!address.is_v4())
    std::fill(network.bytes.begin() + 8, network.bytes.end(), std::uint8_t{0});
  return network;
}

}  // namespace auth::http
