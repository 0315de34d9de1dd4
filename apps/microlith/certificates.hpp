#pragma once

// Certificates for the nodes of a cluster: an authority, and nodes that it vouches for. For tests
// and first steps; who runs an authority of their own uses that.

#include <chrono>
#include <string>

namespace tool {

struct certificate_and_key {
  std::string certificate;  ///< PEM
  std::string key;          ///< PEM, not encrypted
};

struct validity {
  std::chrono::sys_seconds from;
  std::chrono::sys_seconds to;
};

/// Signs itself; may sign others.
[[nodiscard]] certificate_and_key make_authority(const std::string& name, validity valid);

/// The node's name is the certificate's subject alternative name. Throws std::invalid_argument for
/// an authority that cannot be read.
[[nodiscard]] certificate_and_key issue_certificate(const certificate_and_key& authority,
                                                    const std::string& node, validity valid);

}  // namespace tool
