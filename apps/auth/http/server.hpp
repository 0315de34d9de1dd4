#pragma once

// An HTTP/1.1 server: one thread, bounded connections, a time limit on everything that a client
// does.
//
// Requests of one connection are served one after the other, however they arrive. The handler is
// called on the server's thread and must not block. All members may be called from any thread.

#include "auth/http/limits.hpp"
#include "auth/http/message.hpp"

#include <microlith/messages/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace auth::http {

struct server_options {
  ip_address address;
  std::uint16_t port = 0;  ///< 0: any free one
  http::limits limits{};
  /// Told of every reply, on the server's thread: the route, the status, and the seconds it took.
  std::function<void(std::string_view route, int status, double seconds)> observe{};
};

class server {
 public:
  /// Takes the port; who connects waits until `start`. The error says what to do.
  [[nodiscard]] static microlith::result<std::unique_ptr<server>, std::string> open(
      server_options options);

  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  void start(handler handler);

  [[nodiscard]] std::uint16_t port() const;

  /// Runs a function on the server's thread; forgets it if the server has stopped.
  void post(std::function<void()> function) const;

  /// A handle that does what `post` does, and may outlive the server.
  [[nodiscard]] std::function<void(std::function<void()>)> executor() const;

  [[nodiscard]] std::size_t open_connections() const;

  /// Accepts nothing new and answers what has been read. Returns when that is done, or after
  /// `grace`.
  void drain(std::chrono::milliseconds grace);

  /// Closes everything. No handler and no posted function runs afterwards.
  void stop();

 private:
  class core;
  class connection;

  explicit server(std::shared_ptr<core> core);

  std::shared_ptr<core> core_;
};

}  // namespace auth::http
