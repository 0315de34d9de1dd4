#pragma once

// A client that says over a socket exactly what a test tells it to, well-formed or not.
//
// Blocking, and never for long: what does not come within `patience` counts as not coming.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::test {

struct http_response {
  int status = 0;
  /// By lower-case name; values of repeated headers are joined by a line feed.
  std::map<std::string, std::string, std::less<>> headers;
  std::string body;

  [[nodiscard]] std::string header(std::string_view name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

class http_client {
 public:
  /// Connects to a port of 127.0.0.1.
  explicit http_client(std::uint16_t port);
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;
  ~http_client();

  [[nodiscard]] bool is_connected() const { return socket_ >= 0; }

  void send(std::string_view bytes);

  /// The next response; nothing if the connection ends before one is complete. `to_head`: it
  /// answers HEAD and has no body.
  [[nodiscard]] std::optional<http_response> receive(bool to_head = false);

  /// Whether the server has closed the connection, after reading all that is left.
  [[nodiscard]] bool ended();

  /// Sends a complete request, with a Host and a Content-Length, and receives its response. Throws
  /// `std::runtime_error` if there is none.
  http_response call(std::string_view method, std::string_view path, std::string_view body = {},
                     const std::vector<std::string>& headers = {});

 private:
  [[nodiscard]] bool fill();

  int socket_ = -1;
  std::string buffer_;
};

}  // namespace microlith::test
