#pragma once

// `--create-admin`: how the first admin is made, by whoever can write the data directory.

#include "auth/options.hpp"

#include <string>

namespace auth {

/// Reads the password, twice without echo from a terminal or as one line of standard input,
/// registers the admin and says so; the process' exit code.
[[nodiscard]] int create_admin(const options& options, const std::string& email);

}  // namespace auth
