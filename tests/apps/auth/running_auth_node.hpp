#pragma once

// The program itself, serving on a free port.

#include "support/child_process.hpp"
#include "support/http_client.hpp"
#include "support/stuck_after.hpp"

#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace auth::test {

inline const std::filesystem::path program{AUTH_NODE};

class running_auth_node {
 public:
  explicit running_auth_node(const std::filesystem::path& data,
                             const std::vector<std::string>& more = {})
      : process_{program, arguments(data, more)} {
    auto line = process_.read_line();
    const std::string ready = "auth-node ready: ";
    if (!line || !line->starts_with(ready))
      throw std::runtime_error{"auth-node did not start: " + process_.wait().err};
    url_ = line->substr(ready.size());
    auto colon = url_.rfind(':');
    std::from_chars(url_.data() + colon + 1, url_.data() + url_.size(), port_);
  }

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] microlith::test::child_process& process() { return process_; }

  /// One request on a connection of its own.
  microlith::test::http_response call(std::string_view method, std::string_view path,
                                      std::string_view body = {},
                                      const std::vector<std::string>& headers = {}) const {
    return microlith::test::http_client{port_}.call(method, path, body, headers);
  }

 private:
  static std::vector<std::string> arguments(const std::filesystem::path& data,
                                            const std::vector<std::string>& more) {
    std::vector<std::string> all{"--data",          data.string(), "--http",      "127.0.0.1:0",
                                 "--password-cost", "minimum",     "--log-level", "warning"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  microlith::test::child_process process_;
  std::string url_;
  std::uint16_t port_ = 0;
};

/// The cookie that a response sets, as a request sends it back.
inline std::string cookie_of(const microlith::test::http_response& response) {
  auto set = response.header("set-cookie");
  return "Cookie: " + set.substr(0, set.find(';'));
}

/// Calls again and again, giving way to others, until the status is one that is waited for, or is
/// known never to be: then the last response is not.
template <class Call, class Enough>
microlith::test::http_response call_until(Call call, Enough enough) {
  auto until = std::chrono::steady_clock::now() + microlith::test::stuck_after;
  for (;;) {
    auto response = call();
    if (enough(response.status) || std::chrono::steady_clock::now() > until)
      return response;
    std::this_thread::yield();
  }
}

}  // namespace auth::test
