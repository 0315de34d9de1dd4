#pragma once

// How the links of a node are set up: who it is, who its peers are, and the bounds that one may
// choose.

#include <microlith/actors/internal/link/limits.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace microlith::internal {

/// PEM files. The certificate's subject alternative name (DNS) is the node's name.
struct link_tls {
  std::filesystem::path certificate;  ///< its own first, then what leads to the authority
  std::filesystem::path key;
  std::filesystem::path authority;
};

struct link_peer_address {
  std::string name;
  std::string address;  ///< "host:port", "[::1]:port"; not of a caller
};

struct link_options {
  std::string name;    ///< of this node: of two nodes the lower name dials
  std::string listen;  ///< "127.0.0.1:4101"; port 0: any
  std::vector<link_peer_address> peers = {};
  /// Who says this name dials, and listens nowhere: so many of them at once as the peers that
  /// `names_of_callers` names. Empty: nobody does.
  std::string caller = {};
  /// This one is such a peer of others, and dials all.
  bool only_calls = false;
  /// Where TLS is not set: made with mode 0600 if it is not there, and the same for all nodes.
  std::filesystem::path secret_file = {};
  std::optional<link_tls> tls = std::nullopt;
  bool insecure = false;        ///< beyond loopback without TLS, for those who know what they do
  message_id incarnation = {};  ///< of this process; empty: made
  std::chrono::milliseconds silence_limit{2'000};   ///< then a silent peer counts as cut off
  std::chrono::milliseconds resume_window{10'000};  ///< then one that is cut off counts as gone
  std::chrono::milliseconds drain{1'000};           ///< how long a stopping node sends what it took
  /// A peer's: waiting, or sent and not acknowledged. At least one message of the largest size.
  std::size_t max_kept_bytes = std::size_t{64} << 20;
  /// What is refused at the door. Called on the links' thread, not often. Never holds content.
  std::function<void(const std::string&)> report = {};
};

/// The peers that callers of one name are: its own, and with #2, #3, … after it, which no caller
/// may give as its name.
[[nodiscard]] inline std::vector<std::string> names_of_callers(const std::string& caller) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= max_callers; ++i)
    names.push_back(i == 1 ? caller : caller + '#' + std::to_string(i));
  return names;
}

}  // namespace microlith::internal
