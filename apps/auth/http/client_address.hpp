#pragma once

// Who the client is when proxies stand between: pure functions, any thread.

#include "auth/http/ip_address.hpp"

#include <string_view>
#include <vector>

namespace auth::http {

/// The address of the client. `peer` is who has connected, `forwarded_for` the X-Forwarded-For
/// headers, joined by commas in their order. Each proxy appends whom it heard from, so the list is
/// believed from the right, and only as far as trusted proxies have written it.
[[nodiscard]] ip_address client_address(const ip_address& peer, std::string_view forwarded_for,
                                        const std::vector<ip_address>& trusted_proxies);

}  // namespace auth::http
