#pragma once

// The files of `microlith cluster certificates DIR`: an authority, and a certificate a node.

#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace tool {

struct certificates_wanted {
  std::filesystem::path directory;
  std::vector<std::string> nodes;
  std::chrono::days valid{365};
};

/// Makes `authority.pem` and `authority.key` unless they are there, and `NODE.pem` and `NODE.key`
/// for each node; keys have mode 0600. Replaces nothing: a node that has a file already is refused
/// before anything is made. Returns what was made.
[[nodiscard]] microlith::result<std::vector<std::filesystem::path>, microlith::storage_error>
make_cluster_certificates(const certificates_wanted& wanted);

}  // namespace tool
