#include <microlith/actors/internal/link/socket_address.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace microlith::internal {

namespace {

constexpr int backlog = 128;

opened_socket failed(int descriptor, int error) {
  if (descriptor >= 0)
    ::close(descriptor);
  return {-1, std::generic_category().message(error), error == ECONNREFUSED};
}

const sockaddr* generic(const socket_address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

}  // namespace

std::optional<host_and_port> split_address(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == text.npos)
    return std::nullopt;
  auto host = text.substr(0, colon);
  auto port = text.substr(colon + 1);
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != host.npos)
    return std::nullopt;
  bool digits =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == port.npos;
  if (host.empty() || !digits || std::stoul(std::string{port}) > 65'535)
    return std::nullopt;
  return host_and_port{std::string{host}, std::string{port}};
}

bool socket_address::is_loopback() const {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, &storage, sizeof v6);
  return storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string socket_address::text() const {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(generic(*this), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "an unknown address";
  std::string text;
  text.append(storage.ss_family == AF_INET6 ? "[" : "").append(host);
  return text.append(storage.ss_family == AF_INET6 ? "]:" : ":").append(port);
}

resolved resolve(const host_and_port& address, bool numeric_only) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | (numeric_only ? AI_NUMERICHOST : 0);
  addrinfo* list = nullptr;
  resolved result;
  int error = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &list);
  if (error != 0) {
    result.problem =
        std::string{"the name "} + address.host + " cannot be resolved: " + ::gai_strerror(error);
    return result;
  }
  for (auto* one = list; one; one = one->ai_next) {
    socket_address found;
    std::memcpy(&found.storage, one->ai_addr, one->ai_addrlen);
    found.size = one->ai_addrlen;
    result.found.push_back(found);
  }
  ::freeaddrinfo(list);
  return result;
}

opened_socket listen_at(const socket_address& address) {
  int made = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1;
  if (made < 0 || ::setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(made, generic(address), address.size) != 0 || ::listen(made, backlog) != 0)
    return failed(made, errno);
  return {made, {}};
}

std::string local_address(int descriptor) {
  socket_address address;
  address.size = sizeof address.storage;
  (void)::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address.text();
}

opened_socket begin_connecting(const socket_address& address) {
  int made = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0 || (::connect(made, generic(address), address.size) != 0 && errno != EINPROGRESS))
    return failed(made, errno);
  return {made, {}};
}

std::optional<opened_socket> look_at_connecting(int descriptor) {
  pollfd writable{descriptor, POLLOUT, 0};
  if (::poll(&writable, 1, 0) <= 0)
    return std::nullopt;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    error = errno;
  if (error != 0)
    return failed(descriptor, error);
  return opened_socket{descriptor, {}};
}

}  // namespace microlith::internal
