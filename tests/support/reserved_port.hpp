#pragma once

// A port of 127.0.0.1 for a listener that comes and goes while a test runs. Nobody takes it
// meanwhile: not the system, which gives ports of this range to no connection by itself, and not a
// test that runs at the same time, which would find it reserved.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

namespace microlith::test {

class reserved_port {
 public:
  reserved_port() {
    constexpr int first = 12'000;
    constexpr int count = 20'000;
    static std::mt19937 random{std::random_device{}()};
    for (int i = 0; i < count; ++i) {
      number_ = static_cast<std::uint16_t>(first + static_cast<int>(random() % count));
      reservation_ = reserve(number_);
      if (reservation_ >= 0 && is_free(number_))
        return;
      ::close(reservation_);
    }
    throw std::runtime_error{"no port is free"};
  }
  reserved_port(const reserved_port&) = delete;
  reserved_port& operator=(const reserved_port&) = delete;
  ~reserved_port() { ::close(reservation_); }

  [[nodiscard]] std::uint16_t number() const { return number_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

 private:
  // A name that is gone with the process, whatever becomes of it, and that is known where the port
  // is: both belong to the network namespace. Negative: somebody has it.
  static int reserve(std::uint16_t port) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    auto text = "microlith-test-port-" + std::to_string(port);
    std::memcpy(name.sun_path + 1, text.data(), text.size());
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(made, reinterpret_cast<const sockaddr*>(&name), size) == 0)
      return made;
    ::close(made);
    return -1;
  }

  static bool is_free(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = ::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(made);
    return bound;
  }

  std::uint16_t number_ = 0;
  int reservation_ = -1;
};

}  // namespace microlith::test
