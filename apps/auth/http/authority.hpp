#pragma once

// "host:port" as it comes in Host and Origin headers, and whose names we answer to.
//
// Answering only to our own names defeats DNS rebinding: a page of a foreign site whose name was
// made to point at this machine. Pure functions, any thread.

#include "auth/http/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace auth::http {

struct authority {
  std::string host;  ///< lower case, without brackets or a trailing dot
  std::optional<std::uint16_t> port;

  /// "example.org", "example.org:8080", "[::1]:8080"
  [[nodiscard]] static std::optional<authority> parse(std::string_view text);

  friend bool operator==(const authority&, const authority&) = default;
};

/// The names that a server answers to, beside loopback names and the address that it is bound to.
struct own_names {
  std::vector<std::string> hosts{};  ///< lower case
  bool behind_proxy = false;         ///< a proxy may speak for these hosts, on the ports of its own
};

/// `local` is the address that the connection came in on.
[[nodiscard]] bool is_own_host(const own_names& names, const authority& host,
                               const ip_address& local);

/// Whether a page of `origin` ("http://example.org:8080", as browsers send it) is one of ours,
/// given the Host that it asked for.
[[nodiscard]] bool is_own_origin(const own_names& names, std::string_view origin,
                                 const authority& host);

}  // namespace auth::http
