#pragma once

// What a certificate says: of which node it is, and when it is valid.
//
// Any thread.

#include <filesystem>
#include <string>
#include <string_view>

namespace microlith::internal {

/// Whether a subject alternative name of a certificate (OpenSSL's X509) is the node's name, letter
/// by letter: no wildcards, no common name.
[[nodiscard]] bool certificate_names(const void* x509, std::string_view node);

/// Why no other node would accept this file as the certificate of `node`; empty: nothing is known
/// against it.
[[nodiscard]] std::string problem_with_certificate(const std::filesystem::path& file,
                                                   std::string_view node);

}  // namespace microlith::internal
