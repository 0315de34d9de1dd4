#include "auth/http/server.hpp"

#include "auth/http/connection.hpp"
#include "auth/http/server_core.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <pthread.h>

namespace auth::http {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds accept_pause{100};

}  // namespace

server::server(std::shared_ptr<core> core) : core_{std::move(core)} {}

server::~server() {
  stop();
}

microlith::result<std::unique_ptr<server>, std::string> server::open(server_options options) {
  auto core = std::make_shared<server::core>(std::move(options));
  if (auto error = core->listen(); !error.empty())
    return error;
  return std::unique_ptr<server>{new server{std::move(core)}};
}

void server::start(handler handler) {
  core_->start(std::move(handler));
}

std::uint16_t server::port() const {
  return core_->port();
}

void server::post(std::function<void()> function) const {
  core_->post(std::move(function));
}

std::function<void(std::function<void()>)> server::executor() const {
  return [core = core_->weak_from_this()](std::function<void()> function) {
    if (auto alive = core.lock())
      alive->post(std::move(function));
  };
}

std::size_t server::open_connections() const {
  return core_->open_connections();
}

void server::drain(std::chrono::milliseconds grace) {
  core_->drain(grace);
}

void server::stop() {
  core_->stop();
}

std::string server::core::listen() {
  auto text = to_string(options_.address);
  auto address = asio::ip::make_address(text);
  tcp::endpoint endpoint{address, options_.port};
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error)
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
  if (!error)
    acceptor_.bind(endpoint, error);
  if (!error)
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) {
    port_ = acceptor_.local_endpoint(error).port();
    return {};
  }
  auto where = (address.is_v6() ? '[' + text + ']' : text) + ':' + std::to_string(options_.port);
  if (error == asio::error::address_in_use)
    return "cannot listen on " + where +
           ": the port is in use; stop what uses it or choose another with --http ADDRESS:PORT";
  return "cannot listen on " + where + ": " + error.message() +
         "; choose an address and port of this machine with --http ADDRESS:PORT";
}

void server::core::start(handler handler) {
  handler_ = std::move(handler);
  work_.emplace(io_.get_executor());
  asio::post(io_, [this] { accept(); });
  thread_ = std::thread{[this] {
    pthread_setname_np(pthread_self(), "http");
    io_.run();
  }};
}

void server::core::post(std::function<void()> function) {
  std::lock_guard lock{post_mutex_};
  if (!stopped_)
    asio::post(io_, std::move(function));
}

void server::core::observe(std::string_view route, int status, double seconds) const {
  if (options_.observe)
    options_.observe(route, status, seconds);
}

void server::core::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    if (draining_ || error == asio::error::operation_aborted)
      return;
    if (!error) {
      accepted(std::move(socket));
      return accept();
    }
    // Most likely out of file descriptors: trying again at once would only burn the processor.
    accept_pause_.expires_after(accept_pause);
    accept_pause_.async_wait([this](const boost::system::error_code& aborted) {
      if (!aborted && !draining_)
        accept();
    });
  });
}

void server::core::accepted(tcp::socket socket) {
  if (connections_.size() - refused_ >= limits().connections && !idle_.empty())
    idle_.front()->close();
  auto is_full = connections_.size() - refused_ >= limits().connections;
  if (is_full && refused_ >= limits().refused_connections)
    return;
  auto fresh = std::make_shared<connection>(std::move(socket), *this);
  connections_.emplace(fresh.get(), place{fresh, std::nullopt, is_full});
  open_ = connections_.size();
  if (is_full)
    ++refused_;
  is_full ? fresh->refuse() : fresh->start();
}

void server::core::became_idle(const std::shared_ptr<connection>& idle) {
  auto& place = connections_.at(idle.get());
  place.idle = idle_.insert(idle_.end(), idle);
}

void server::core::became_busy(const std::shared_ptr<connection>& busy) {
  auto& place = connections_.at(busy.get());
  if (place.idle)
    idle_.erase(*std::exchange(place.idle, std::nullopt));
}

void server::core::ended(const std::shared_ptr<connection>& gone) {
  auto found = connections_.find(gone.get());
  if (found == connections_.end())
    return;
  if (found->second.idle)
    idle_.erase(*found->second.idle);
  if (found->second.refused)
    --refused_;
  connections_.erase(found);
  open_ = connections_.size();
  if (draining_ && connections_.empty())
    drained_.set_value();
}

void server::core::begin_draining() {
  if (std::exchange(draining_, true))
    return;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  if (connections_.empty())
    return drained_.set_value();
  std::vector<std::shared_ptr<connection>> all;
  for (const auto& [unused, place] : connections_)
    all.push_back(place.held);
  for (const auto& connection : all)
    connection->drain();
}

void server::core::drain(std::chrono::milliseconds grace) {
  if (!thread_.joinable())
    return;
  post([this] { begin_draining(); });
  static_cast<void>(when_drained_.wait_for(grace));
}

void server::core::stop() {
  {
    std::lock_guard lock{post_mutex_};
    stopped_ = true;
  }
  if (!thread_.joinable())
    return;
  // Closing aborts what the sockets wait for; when that has been heard, nothing is left to run.
  asio::post(io_, [this] {
    begin_draining();
    while (!connections_.empty()) {
      auto held = connections_.begin()->second.held;
      held->close();
    }
    work_.reset();
  });
  thread_.join();
}

}  // namespace auth::http
