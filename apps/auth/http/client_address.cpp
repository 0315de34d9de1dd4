#include "auth/http/client_address.hpp"

#include <algorithm>
#include <optional>

namespace auth::http {

namespace {

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Some proxies add a port: "192.0.2.1:1234", "[2001:db8::1]:1234".
std::optional<ip_address> parse_entry(std::string_view entry) {
  if (entry.starts_with('[')) {
    auto end = entry.find(']');
    return end == std::string_view::npos ? std::nullopt
                                         : ip_address::parse(entry.substr(1, end - 1));
  }
  if (std::count(entry.begin(), entry.end(), ':') == 1)
    entry = entry.substr(0, entry.find(':'));
  return ip_address::parse(entry);
}

}  // namespace

ip_address client_address(const ip_address& peer, std::string_view forwarded_for,
                          const std::vector<ip_address>& trusted_proxies) {
  auto client = peer;
  while (std::find(trusted_proxies.begin(), trusted_proxies.end(), client) !=
         trusted_proxies.end()) {
    auto comma = forwarded_for.find_last_of(',');
    auto last = comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1);
    auto address = parse_entry(trim(last));
    if (!address)
      return client;
    client = *address;
    forwarded_for =
        comma == std::string_view::npos ? std::string_view{} : forwarded_for.substr(0, comma);
  }
  return client;
}

}  // namespace auth::http
