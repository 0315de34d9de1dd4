#pragma once

// Addresses of nodes, and sockets that never make anybody wait. Any thread.

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::internal {

struct host_and_port {
  std::string host;
  std::string port;
};

/// "127.0.0.1:4101", "localhost:4101", "[::1]:4101"; nothing for other forms.
[[nodiscard]] std::optional<host_and_port> split_address(std::string_view text);

struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] bool is_loopback() const;
  /// "127.0.0.1:4101"
  [[nodiscard]] std::string text() const;
};

/// What an address stands for, and why it stands for nothing. Numeric ones at once; names may take
/// as long as the name service likes.
struct resolved {
  std::vector<socket_address> found;
  std::string problem;
};
[[nodiscard]] resolved resolve(const host_and_port& address, bool numeric_only);

/// A descriptor, or why there is none.
struct opened_socket {
  int descriptor = -1;
  std::string problem;
  bool refused = false;  ///< the host is there, and nobody listens
};
[[nodiscard]] opened_socket listen_at(const socket_address& address);
/// Where a listening socket listens, with the port that the system chose.
[[nodiscard]] std::string local_address(int descriptor);
/// Returns at once, with a connection that stands or is on its way.
[[nodiscard]] opened_socket begin_connecting(const socket_address& address);
/// What has become of it: the same descriptor, if it stands; else it is closed. Nothing: it is
/// still on its way.
[[nodiscard]] std::optional<opened_socket> look_at_connecting(int descriptor);

}  // namespace microlith::internal
