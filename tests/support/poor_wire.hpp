#pragma once

// A wire between two Ethernet interfaces that is slow and loses frames, one way. Kernels have this
// as netem, but many are built without it.

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace microlith::test {

class poor_wire {
 public:
  /// Of two interfaces in the network namespace of the calling thread. What arrives at `from`
  /// leaves at `to` 10 to 30 ms later, in another order perhaps, but for 5 % of it; the other way
  /// at once.
  poor_wire(const std::string& from, const std::string& to)
      : from_{open_socket(from)}, to_{open_socket(to)} {
    if (fine())
      thread_ = std::thread{[this] { carry(); }};
  }
  poor_wire(const poor_wire&) = delete;
  poor_wire& operator=(const poor_wire&) = delete;
  ~poor_wire() {
    stopping_ = true;
    if (thread_.joinable())
      thread_.join();
    ::close(from_);
    ::close(to_);
  }

  [[nodiscard]] bool fine() const { return from_ >= 0 && to_ >= 0; }
  /// Frames, so far.
  [[nodiscard]] std::size_t lost() const { return lost_; }

 private:
  using steady = std::chrono::steady_clock;
  using frame = std::vector<std::byte>;

  static int open_socket(const std::string& interface) {
    int made = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    int yes = 1;  // not what this socket itself has sent
    bool ok = at.sll_ifindex != 0 &&
              ::bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
              ::setsockopt(made, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0;
    if (!ok && made >= 0)
      ::close(made);
    return ok ? made : -1;
  }

  // One that is down loses what is sent, as a cable does.
  static void send(int socket, const frame& sent) {
    [[maybe_unused]] auto ignored = ::send(socket, sent.data(), sent.size(), 0);
  }

  template <class F>
  static void receive_all(int socket, F each) {
    std::array<std::byte, 65'536> buffer;
    for (;;) {
      auto size = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (size <= 0)
        return;
      each(frame{buffer.begin(), buffer.begin() + size});
    }
  }

  void carry() {
    std::multimap<steady::time_point, frame> under_way;
    std::minstd_rand random{7};
    std::uniform_int_distribution<int> delay_us{10'000, 30'000};
    std::uniform_int_distribution<int> percent{0, 99};
    while (!stopping_) {
      std::array<pollfd, 2> both{pollfd{from_, POLLIN, 0}, pollfd{to_, POLLIN, 0}};
      ::poll(both.data(), both.size(), 1);
      receive_all(from_, [&](frame&& arrived) {
        if (percent(random) < 5)
          ++lost_;
        else
          under_way.emplace(steady::now() + std::chrono::microseconds{delay_us(random)},
                            std::move(arrived));
      });
      receive_all(to_, [&](frame&& arrived) { send(from_, arrived); });
      for (auto first = under_way.begin();
           first != under_way.end() && first->first <= steady::now();
           first = under_way.erase(first))
        send(to_, first->second);
    }
  }

  int from_;
  int to_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> lost_{0};
  std::thread thread_;
};

}  // namespace microlith::test
