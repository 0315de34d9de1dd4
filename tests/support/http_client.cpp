#include "support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace microlith::test {

namespace {

constexpr time_t patience_s = 60;

std::string lower_case(std::string_view text) {
  std::string lower{text};
  for (auto& c : lower) {
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

http_response parse_head(std::string_view head) {
  http_response response;
  response.status = std::stoi(std::string{head.substr(head.find(' ') + 1, 3)});
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    auto colon = line.find(':');
    auto name = lower_case(line.substr(0, colon));
    auto value = line.substr(line.find_first_not_of(' ', colon + 1));
    auto [at, is_new] = response.headers.emplace(name, value);
    if (!is_new)
      at->second.append(1, '\n').append(value);
  }
  return response;
}

}  // namespace

http_client::http_client(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
  timeval limit{.tv_sec = patience_s, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  int no_delay = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

http_client::~http_client() {
  if (socket_ >= 0)
    ::close(socket_);
}

void http_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return;  // the server has closed; reading will tell
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool http_client::fill() {
  char chunk[16'384];
  auto size = ::recv(socket_, chunk, sizeof chunk, 0);
  if (size <= 0)
    return false;
  buffer_.append(chunk, static_cast<std::size_t>(size));
  return true;
}

std::optional<http_response> http_client::receive(bool to_head) {
  constexpr std::string_view end_of_head = "\r\n\r\n";
  std::size_t end = 0;
  while ((end = buffer_.find(end_of_head)) == std::string::npos) {
    if (!fill())
      return std::nullopt;
  }
  auto response = parse_head(std::string_view{buffer_}.substr(0, end + 2));
  buffer_.erase(0, end + end_of_head.size());
  auto length = response.header("content-length");
  if (to_head || length.empty())
    return response;
  auto size = std::stoul(length);
  while (buffer_.size() < size) {
    if (!fill())
      return std::nullopt;
  }
  response.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return response;
}

bool http_client::ended() {
  while (fill()) {
  }
  char unused = 0;
  auto size = ::recv(socket_, &unused, 1, MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

http_response http_client::call(std::string_view method, std::string_view path,
                                std::string_view body, const std::vector<std::string>& headers) {
  std::string request{method};
  request.append(1, ' ').append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
  if (method == "POST" || !body.empty())
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  if (!body.empty())
    request += "Content-Type: application/json\r\n";
  for (const auto& header : headers)
    request += header + "\r\n";
  request += "\r\n";
  request += body;
  send(request);
  auto response = receive(method == "HEAD");
  if (!response)
    throw std::runtime_error{"no response to " + std::string{method} + ' ' + std::string{path}};
  return *std::move(response);
}

}  // namespace microlith::test
