#pragma once

// What was written by a program of another version: it says its format where it begins, behind its
// checksum, and is neither damaged nor for this program to change. Free functions; any thread.

#include <microlith/persistence/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace microlith::internal {

/// It may be whole or not: nothing can be said of it here.
class other_format : public storage_exception {
 public:
  using storage_exception::storage_exception;
};

/// `what` is for the text: "the journal in /srv/auth/journal".
[[nodiscard]] storage_error format_problem(const std::string& what, std::uint32_t format,
                                           std::uint32_t known);

/// Throws other_format where `stored` is whole and of another format than `known`.
void expect_format(std::span<const std::byte> stored, std::uint32_t known, const std::string& what);

}  // namespace microlith::internal
