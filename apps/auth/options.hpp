#pragma once

// The command line of auth-node, as values. Pure but for reading nothing else; any thread.

#include "auth/http/ip_address.hpp"
#include "auth/password.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace auth {

struct options {
  std::filesystem::path data = "./data";
  http::ip_address address;
  std::uint16_t port = 8080;
  unsigned threads = 0;             ///< 0: one a core
  std::size_t map_limit_bytes = 0;  ///< 0: no limit but the machine's
  auth::password_cost password_cost = auth::password_cost::interactive;
  std::size_t registration_limit = 30;  ///< per minute and address; 0: none
  std::vector<std::string> hosts;       ///< lower case
  std::vector<http::ip_address> trusted_proxies;
  bool public_metrics = false;
  std::optional<std::string> create_admin;         ///< an e-mail as given
  std::filesystem::path cluster;                   ///< the cluster file; empty: one process
  std::string node;                                ///< which of its nodes this is
  bool insecure = false;                           ///< links beyond loopback may do without TLS
  std::optional<http::ip_address> status_address;  ///< for a node without the gateway
  std::uint16_t status_port = 0;
  std::string log_level = "info";
  std::string describe;  ///< empty, "text" or "dot"
};

/// There is nothing to run: what to print and how to exit.
struct early_exit {
  int code = 0;
  std::string text;
};

inline constexpr int exit_wrong_use = 2;

[[nodiscard]] std::variant<options, early_exit> parse_options(int argc, const char* const* argv);

}  // namespace auth
