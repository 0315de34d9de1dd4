#pragma once

// Cookies: reading one from a Cookie header, writing one as Set-Cookie. Pure functions, any thread.

#include <chrono>
#include <string>
#include <string_view>

namespace auth::http {

/// The value of the first cookie of this name; empty if there is none.
[[nodiscard]] std::string_view find_cookie(std::string_view header, std::string_view name);

/// For the whole site, out of reach of scripts, not sent with requests that other sites make but
/// for following a link. A `max_age` of zero deletes the cookie.
[[nodiscard]] std::string set_cookie(std::string_view name, std::string_view value,
                                     std::chrono::seconds max_age, bool secure);

}  // namespace auth::http
