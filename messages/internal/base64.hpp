#pragma once

// Base64 with padding (RFC 4648, section 4). Any thread.

#include <microlith/messages/describe.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace microlith::internal {

[[nodiscard]] std::string to_base64(std::span<const std::byte> in);

/// Nothing for what `to_base64` does not write: no line breaks, no missing padding, no stray bits.
[[nodiscard]] std::optional<bytes> from_base64(std::string_view text);

}  // namespace microlith::internal
