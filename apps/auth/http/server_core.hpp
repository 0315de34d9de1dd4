#pragma once

// Inside the HTTP server: its connections and its thread. Included by the server's own sources
// only.
//
// Everything but `post` happens on the server's thread.

#include "auth/http/server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

namespace auth::http {

using tcp = boost::asio::ip::tcp;

class server::core : public std::enable_shared_from_this<core> {
 public:
  explicit core(server_options options) : options_{std::move(options)} {}

  /// Empty if the port is ours now.
  [[nodiscard]] std::string listen();
  void start(handler handler);
  void drain(std::chrono::milliseconds grace);
  void stop();
  void post(std::function<void()> function);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t open_connections() const { return open_; }
  [[nodiscard]] const http::limits& limits() const { return options_.limits; }
  [[nodiscard]] bool draining() const { return draining_; }

  void serve(request request, responder respond) {
    handler_(std::move(request), std::move(respond));
  }
  void observe(std::string_view route, int status, double seconds) const;

  /// The order in which idle connections make room for new ones.
  void became_idle(const std::shared_ptr<connection>& idle);
  void became_busy(const std::shared_ptr<connection>& busy);
  void ended(const std::shared_ptr<connection>& gone);

 private:
  using idle_list = std::list<std::shared_ptr<connection>>;
  struct place {
    std::shared_ptr<connection> held;
    std::optional<idle_list::iterator> idle;
    bool refused = false;
  };

  void accept();
  void accepted(tcp::socket socket);
  void begin_draining();

  server_options options_;
  handler handler_;
  boost::asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  boost::asio::steady_timer accept_pause_{io_};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::uint16_t port_ = 0;
  std::unordered_map<connection*, place> connections_;
  idle_list idle_;  // longest idle first
  std::size_t refused_ = 0;
  std::atomic<std::size_t> open_{0};
  bool draining_ = false;
  std::promise<void> drained_;
  std::shared_future<void> when_drained_{drained_.get_future()};

  std::mutex post_mutex_;
  bool stopped_ = false;  // guarded by post_mutex_
  std::thread thread_;
};

}  // namespace auth::http
