#pragma once

// A connection as a stranger makes it, and a proxy between two nodes that can cut and stall what
// goes through it.

#include <microlith/actors/internal/link/socket_address.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace microlith::test {

inline int connect_to(const std::string& address) {
  auto to = internal::resolve(*internal::split_address(address), true).found.at(0);
  int made = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(made, reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0) {
    ::close(made);
    return -1;
  }
  return made;
}

class raw_connection {
 public:
  explicit raw_connection(const std::string& address) : socket_{connect_to(address)} {
    // Whatever takes longer is stuck.
    timeval limit{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  raw_connection(const raw_connection&) = delete;
  raw_connection& operator=(const raw_connection&) = delete;
  ~raw_connection() { ::close(socket_); }

  void write(std::span<const std::byte> bytes) {
    (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void end_writing() { ::shutdown(socket_, SHUT_WR); }
  [[nodiscard]] std::string read_to_end() {
    std::string all;
    char chunk[4'096];
    ssize_t got = 0;
    while ((got = ::recv(socket_, chunk, sizeof chunk, 0)) > 0)
      all.append(chunk, static_cast<std::size_t>(got));
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      throw std::runtime_error{"the connection was not closed"};
    return all;
  }

 private:
  int socket_;
};

class link_proxy {
 public:
  enum direction { to_listener = 0, to_dialler = 1 };

  explicit link_proxy(std::string target) : target_{std::move(target)} {
    listening_ =
        internal::listen_at(internal::resolve({"127.0.0.1", "0"}, true).found[0]).descriptor;
    if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0)
      throw std::runtime_error{"cannot make a pipe"};
    worker_ = std::thread{[this] { run(); }};
  }
  link_proxy(const link_proxy&) = delete;
  link_proxy& operator=(const link_proxy&) = delete;
  ~link_proxy() {
    ended_ = true;
    wake();
    worker_.join();
    for (auto descriptor : {listening_, wake_[0], wake_[1]})
      ::close(descriptor);
  }

  [[nodiscard]] std::string address() const { return internal::local_address(listening_); }
  /// Breaks what stands now; new connections are let through.
  void cut() {
    cut_ = true;
    wake();
  }
  /// Of connections that stand: what goes this way stays. New ones are let through.
  void stall(direction which, bool on) {
    stalled_[which] = on;
    wake();
  }
  /// Nothing goes this way from now on, on new connections neither.
  void hold(direction which, bool on) {
    held_[which] = on;
    wake();
  }

 private:
  struct pair {
    int ends[2];  // dialler, listener
    bool stalled[2] = {false, false};
  };

  void wake() { (void)!::write(wake_[1], "x", 1); }

  void run() {
    while (!ended_) {
      std::vector<pollfd> waiting{{wake_[0], POLLIN, 0}, {listening_, POLLIN, 0}};
      for (const auto& one : pairs_)
        for (int side = 0; side < 2; ++side)
          waiting.push_back({one.stalled[side] || held_[side] ? -1 : one.ends[side], POLLIN, 0});
      ::poll(waiting.data(), waiting.size(), -1);
      char ignored[16];
      while (::read(wake_[0], ignored, sizeof ignored) > 0) {
      }
      // Only what stood when the direction was stalled.
      for (int side = 0; side < 2; ++side) {
        bool on = stalled_[side];
        if (on != was_stalled_[side])
          for (auto& one : pairs_)
            one.stalled[side] = on;
        was_stalled_[side] = on;
      }
      std::vector<pair> kept;
      bool cut = cut_.exchange(false);
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        bool fine = !cut;
        for (std::size_t side = 0; side < 2 && fine; ++side)
          if (waiting[2 + 2 * i + side].revents != 0 && !pairs_[i].stalled[side] && !held_[side])
            fine = carry(pairs_[i].ends[side], pairs_[i].ends[1 - side]);
        if (fine)
          kept.push_back(pairs_[i]);
        else
          close(pairs_[i]);
      }
      pairs_ = std::move(kept);
      if (waiting[1].revents != 0)
        accept();
    }
    for (auto& one : pairs_)
      close(one);
  }

  void accept() {
    int from = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    int to = from < 0 ? -1 : connect_to(target_);
    if (to >= 0)
      pairs_.push_back({{from, to}});
    else if (from >= 0)
      ::close(from);
  }

  static bool carry(int from, int to) {
    char chunk[16'384];
    auto got = ::recv(from, chunk, sizeof chunk, MSG_DONTWAIT);
    for (ssize_t done = 0; done < got;) {
      auto sent = ::send(to, chunk + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      done += sent;
    }
    return got > 0;
  }

  static void close(const pair& one) {
    ::close(one.ends[0]);
    ::close(one.ends[1]);
  }

  const std::string target_;
  int listening_ = -1;
  int wake_[2];
  std::atomic<bool> ended_{false};
  std::atomic<bool> cut_{false};
  std::atomic<bool> stalled_[2]{false, false};
  std::atomic<bool> held_[2]{false, false};
  bool was_stalled_[2] = {false, false};
  std::vector<pair> pairs_;
  std::thread worker_;
};

}  // namespace microlith::test
