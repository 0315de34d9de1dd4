#include "auth/http/authority.hpp"

#include <algorithm>
#include <charconv>

namespace auth::http {

namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

std::string lower_case(std::string_view text) {
  std::string lower{text};
  for (auto& c : lower) {
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool contains(const std::vector<std::string>& hosts, const std::string& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

}  // namespace

std::optional<authority> authority::parse(std::string_view text) {
  authority parsed;
  if (text.starts_with('[')) {
    auto end = text.find(']');
    if (end == std::string_view::npos)
      return std::nullopt;
    parsed.host = lower_case(text.substr(1, end - 1));
    if (parsed.host.find(':') == std::string::npos || !ip_address::parse(parsed.host))
      return std::nullopt;
    text.remove_prefix(end + 1);
  } else {
    auto end = std::min(text.find(':'), text.size());
    parsed.host = lower_case(text.substr(0, end));
    if (parsed.host.ends_with('.'))
      parsed.host.pop_back();
    if (parsed.host.empty() ||
        !std::all_of(parsed.host.begin(), parsed.host.end(), is_host_character))
      return std::nullopt;
    text.remove_prefix(end);
  }
  if (text.empty())
    return parsed;
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + 1, end, port);
  if (text.front() != ':' || error != std::errc{} || rest != end)
    return std::nullopt;
  parsed.port = port;
  return parsed;
}

bool is_own_host(const own_names& names, const authority& host, const ip_address& local) {
  if (host.host == "localhost" || host.host.ends_with(".localhost"))
    return true;
  // Nobody can make a numeric address point elsewhere.
  if (auto address = ip_address::parse(host.host))
    return address->is_loopback() || *address == local || contains(names.hosts, host.host);
  return contains(names.hosts, host.host);
}

bool is_own_origin(const own_names& names, std::string_view origin, const authority& host) {
  auto default_port = http_port;
  constexpr std::string_view http = "http://";
  constexpr std::string_view https = "https://";
  if (origin.starts_with(https)) {
    default_port = https_port;
    origin.remove_prefix(https.size());
  } else if (origin.starts_with(http)) {
    origin.remove_prefix(http.size());
  } else {
    return false;
  }
  auto site = authority::parse(origin);
  if (!site)
    return false;
  if (site->host == host.host &&
      site->port.value_or(default_port) == host.port.value_or(default_port))
    return true;
  // A proxy need not pass the Host on; it speaks on the standard ports.
  return names.behind_proxy && site->port.value_or(default_port) == default_port &&
         contains(names.hosts, site->host);
}

}  // namespace auth::http
