#pragma once

// Message ids that come out the same whenever they are made again: of what a message causes where
// doing it twice must be noticed. Any thread.

#include <microlith/messages/identity.hpp>

#include <cstdint>
#include <string_view>

namespace microlith {

/// A function of its arguments alone, in the layout of a UUID of version 7: the time is that of
/// `from`, the rest a hash (XXH3, 128 bits) of all three.
[[nodiscard]] message_id derived_id(message_id from, std::string_view purpose,
                                    std::uint64_t number);

}  // namespace microlith
