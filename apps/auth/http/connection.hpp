#pragma once

// Inside the HTTP server: one connection, from its first byte to its last. On the server's thread.
//
//     idle -> header -> body -> handling -> writing -> idle …
//                 \________________________/-> lingering -> gone

#include "auth/http/server_core.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <optional>

namespace auth::http {

class server::connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, core& core) : core_{core}, stream_{std::move(socket)} {}

  void start();
  /// Says that there are too many, and goes.
  void refuse();
  /// Ends the connection as soon as the request at hand is answered.
  void drain();
  void close();

 private:
  void await_request(std::chrono::milliseconds limit);
  void read_header();
  void read_body();
  void go_on_reading(const boost::beast::error_code& error);
  void handle();
  void answer(reply reply, std::string_view route);
  void fail(int status, std::string_view code);
  void write(reply reply, bool keep_alive);
  void written(bool keep_alive);
  void linger();
  void discard();

  core& core_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::chrono::steady_clock::time_point began_;
  bool idle_ = false;
  bool is_head_ = false;
  bool keep_alive_ = false;
  bool gone_ = false;
  std::array<char, 4'096> discarded_;
  std::size_t discarded_bytes_ = 0;
};

}  // namespace auth::http
