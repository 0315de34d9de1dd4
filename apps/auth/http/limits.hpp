#pragma once

// The bounds of the HTTP server: what a client may send, and how long it may take.

#include <chrono>
#include <cstddef>

namespace auth::http {

struct limits {
  std::size_t connections = 1'024;
  /// Connections past the bound that are being told so.
  std::size_t refused_connections = 64;
  std::size_t header_size_bytes = 16 * 1'024;
  std::size_t body_size_bytes = 64 * 1'024;
  std::chrono::milliseconds header_time{10'000};  ///< from the first byte, or from connecting
  std::chrono::milliseconds body_time{10'000};
  std::chrono::milliseconds idle_time{30'000};  ///< between requests
  std::chrono::milliseconds write_time{10'000};
  /// After a reply that ends the connection, for the client to read it.
  std::chrono::milliseconds linger_time{2'000};
  std::size_t linger_size_bytes = 256 * 1'024;
};

}  // namespace auth::http
