#include "auth/http/connection.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace auth::http {

namespace beast = boost::beast;
namespace asio = boost::asio;

namespace {

constexpr std::size_t read_size_bytes = 4'096;
constexpr int http_1_1 = 11;

ip_address address_of(const tcp::endpoint& endpoint) {
  ip_address address;
  if (endpoint.address().is_v4())
    return *ip_address::parse(endpoint.address().to_string());
  auto bytes = endpoint.address().to_v6().to_bytes();
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
  return address;
}

// RFC 9110, 5.6.7: in English, whatever the locale.
std::string http_date() {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday],
                utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text;
}

template <class Body>
void set_headers(beast::http::response<Body>& response, const reply& reply, bool keep_alive) {
  response.version(http_1_1);
  response.result(static_cast<unsigned>(reply.status));
  response.set(beast::http::field::date, http_date());
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.set("Referrer-Policy", "same-origin");
  if (reply.status != 204)
    response.set(beast::http::field::content_type,
                 beast::string_view{reply.content_type.data(), reply.content_type.size()});
  for (const auto& header : reply.headers)
    response.insert(header.name, header.value);
  response.keep_alive(keep_alive);
}

}  // namespace

void server::connection::start() {
  beast::error_code ignored;
  stream_.socket().set_option(tcp::no_delay{true}, ignored);
  buffer_.max_size(2 * core_.limits().header_size_bytes);
  await_request(core_.limits().header_time);
}

void server::connection::refuse() {
  began_ = std::chrono::steady_clock::now();
  keep_alive_ = false;
  answer(error_reply(503, "overloaded", std::chrono::seconds{1}), "none");
}

void server::connection::drain() {
  keep_alive_ = false;
  if (idle_)
    close();
}

void server::connection::close() {
  if (std::exchange(gone_, true))
    return;
  stream_.close();  // the socket and its time limit
  core_.ended(shared_from_this());
}

void server::connection::await_request(std::chrono::milliseconds limit) {
  if (core_.draining())
    return close();
  if (buffer_.size() > 0)
    return read_header();
  idle_ = true;
  core_.became_idle(shared_from_this());
  stream_.expires_after(limit);
  stream_.async_read_some(
      buffer_.prepare(read_size_bytes),
      [self = shared_from_this()](const beast::error_code& error, std::size_t size) {
        if (self->gone_)
          return;
        if (error)
          return self->close();
        self->idle_ = false;
        self->core_.became_busy(self);
        self->buffer_.commit(size);
        self->read_header();
      });
}

void server::connection::read_header() {
  began_ = std::chrono::steady_clock::now();
  is_head_ = false;
  keep_alive_ = false;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_.limits().header_size_bytes));
  parser_->body_limit(core_.limits().body_size_bytes);
  stream_.expires_after(core_.limits().header_time);
  beast::http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const beast::error_code& error, std::size_t) {
        if (self->gone_)
          return;
        if (error)
          return self->go_on_reading(error);
        const auto& head = self->parser_->get();
        self->is_head_ = head.method() == beast::http::verb::head;
        if (!beast::iequals(head[beast::http::field::expect], "100-continue") ||
            self->parser_->is_done())
          return self->read_body();
        // The client waits for this before it sends the body.
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(self->stream_, asio::buffer(go_on),
                          [self](const beast::error_code& failed, std::size_t) {
                            if (self->gone_)
                              return;
                            failed ? self->close() : self->read_body();
                          });
      });
}

void server::connection::read_body() {
  if (parser_->is_done())
    return handle();
  stream_.expires_after(core_.limits().body_time);
  beast::http::async_read(stream_, buffer_, *parser_,
                          [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                            if (self->gone_)
                              return;
                            error ? self->go_on_reading(error) : self->handle();
                          });
}

// After an error in reading: says why where anybody listens.
void server::connection::go_on_reading(const beast::error_code& error) {
  using http_error = beast::http::error;
  if (error == http_error::body_limit)
    return fail(413, "body_too_large");
  if (error == http_error::header_limit || error == http_error::buffer_overflow)
    return fail(431, "headers_too_large");
  if (error == http_error::end_of_stream || error == http_error::partial_message ||
      error.category() != make_error_code(http_error::bad_method).category())
    return close();
  fail(400, "malformed_request");
}

void server::connection::handle() {
  stream_.expires_never();
  auto message = parser_->release();
  parser_.reset();
  keep_alive_ = message.keep_alive() && !core_.draining();

  request request;
  request.method = std::string{message.method_string()};
  request.target = std::string{message.target()};
  request.is_http_1_0 = message.version() < http_1_1;
  for (const auto& field : message)
    request.headers.push_back({std::string{field.name_string()}, std::string{field.value()}});
  request.body = std::move(message.body());
  beast::error_code error;
  request.peer = address_of(stream_.socket().remote_endpoint(error));
  request.local = address_of(stream_.socket().local_endpoint(error));
  if (error)
    return close();

  responder respond{[core = core_.weak_from_this(), self = weak_from_this()](
                        http::reply reply, std::string_view route) {
    auto alive = core.lock();
    if (!alive)
      return;
    alive->post([self, reply = std::move(reply), route]() mutable {
      if (auto connection = self.lock())
        connection->answer(std::move(reply), route);
    });
  }};
  core_.serve(std::move(request), std::move(respond));
}

void server::connection::answer(reply reply, std::string_view route) {
  if (gone_)
    return;
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
  core_.observe(route, reply.status, took.count());
  write(std::move(reply), keep_alive_ && !core_.draining());
}

void server::connection::fail(int status, std::string_view code) {
  keep_alive_ = false;
  answer(error_reply(status, code), "none");
}

void server::connection::write(reply reply, bool keep_alive) {
  stream_.expires_after(core_.limits().write_time);
  auto send = [&](auto response) {
    auto held = std::make_shared<decltype(response)>(std::move(response));
    beast::http::async_write(
        stream_, *held,
        [self = shared_from_this(), held, keep_alive](const beast::error_code& error, std::size_t) {
          if (self->gone_)
            return;
          error ? self->close() : self->written(keep_alive);
        });
  };
  if (is_head_ || reply.status == 204) {
    beast::http::response<beast::http::empty_body> response;
    set_headers(response, reply, keep_alive);
    if (reply.status != 204)
      response.content_length(reply.body.size());
    return send(std::move(response));
  }
  beast::http::response<beast::http::string_body> response;
  set_headers(response, reply, keep_alive);
  response.body() = std::move(reply.body);
  response.prepare_payload();
  send(std::move(response));
}

void server::connection::written(bool keep_alive) {
  keep_alive ? await_request(core_.limits().idle_time) : linger();
}

// Closing with unread bytes would reset the connection, and the client might never see the reply.
void server::connection::linger() {
  beast::error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(core_.limits().linger_time);
  discard();
}

void server::connection::discard() {
  stream_.async_read_some(
      asio::buffer(discarded_),
      [self = shared_from_this()](const beast::error_code& error, std::size_t size) {
        if (self->gone_)
          return;
        self->discarded_bytes_ += size;
        if (error || self->discarded_bytes_ > self->core_.limits().linger_size_bytes)
          return self->close();
        self->discard();
      });
}

}  // namespace auth::http
