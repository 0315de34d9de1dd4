#pragma once

// E-mail addresses as names of accounts. Pure functions, any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace auth {

/// RFC 5321, 4.5.3.1.3, less the angle brackets.
inline constexpr std::size_t email_limit_bytes = 254;

/// The one spelling of an address that all its spellings share: trimmed, ASCII letters lower case.
[[nodiscard]] std::string fold_email(std::string_view email);

/// A valid e-mail address as HTML defines it for input fields (WHATWG HTML, 4.10.5.1.5), of at most
/// `email_limit_bytes`. `folded` comes from `fold_email`.
[[nodiscard]] bool is_valid_email(std::string_view folded);

}  // namespace auth
