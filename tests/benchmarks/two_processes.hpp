#pragma once

// Two processes of one program: a child that serves or listens, forked before there are any
// threads, and a page that both see. What the child has received it counts there, with the time.

#include "load.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>

namespace bench {

struct shared_page {
  static constexpr std::size_t slots = 65'536;

  std::atomic<int> ready{0};
  std::atomic<std::uint64_t> received{0};
  std::int64_t at_ns[slots]{};
  char address[256]{};
  std::uint64_t subscribers = 1;  // in the child

  /// A subscriber in the child has received one; the next one is received when so many have come as
  /// there are subscribers. Any thread of the child.
  void receive() {
    std::lock_guard lock{mutex};
    if (++deliveries % subscribers != 0)
      return;
    auto number = received.load(std::memory_order_relaxed);
    at_ns[number % slots] = steady::now().time_since_epoch().count();
    received.store(number + 1, std::memory_order_release);
  }
  void set_ready() { ready.store(1, std::memory_order_release); }

  // The child's.
  std::mutex mutex;
  std::uint64_t deliveries = 0;
};

class second_process {
 public:
  /// `child(page)` runs there and is killed in the end.
  template <class Child>
  explicit second_process(const arguments& from, Child child) {
    void* memory = ::mmap(nullptr, sizeof(shared_page), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      give_up("shared memory", std::strerror(errno));
    page = new (memory) shared_page;
    page->subscribers = from.count("subscribers", 1);
    pid_ = ::fork();
    if (pid_ < 0)
      give_up("fork", std::strerror(errno));
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      child(*page);
      ::_exit(0);
    }
  }
  ~second_process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  second_process(const second_process&) = delete;
  second_process& operator=(const second_process&) = delete;

  void wait_until_ready() const {
    auto limit = steady::now() + std::chrono::seconds{20};
    while (page->ready.load(std::memory_order_acquire) == 0) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0 || steady::now() > limit)
        give_up("second process", "it did not get ready");
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

  shared_page* page = nullptr;

 private:
  pid_t pid_ = -1;
};

/// Sends what is due with `send(number)`, then `flush()`; an operation ends when the child has
/// received it as often as it has subscribers, in the order in which they were sent. Who looks for
/// what has been received takes processor time from what is measured, so with many in flight it
/// looks less often.
template <class Send, class Flush>
void fan_out(const arguments& from, shared_page& page, const std::string& sync, Send send,
             Flush flush) {
  plan given{from};
  auto pause = std::chrono::microseconds{given.rate == 0 && given.in_flight >= 1'000 ? 200 : 20};
  load work{given};
  std::deque<steady::time_point> due;
  std::uint64_t seen = 0;
  while (!work.over()) {
    bool sent = false;
    while (work.may_begin()) {
      due.push_back(work.began());
      send(work.number());
      sent = true;
    }
    if (sent)
      flush();
    auto received = page.received.load(std::memory_order_acquire);
    if (received == seen)
      std::this_thread::sleep_for(pause);
    for (; seen < received && !due.empty(); ++seen) {
      steady::time_point at{std::chrono::nanoseconds{page.at_ns[seen % shared_page::slots]}};
      work.ended(due.front(), at);
      due.pop_front();
    }
  }
  work.print(from, sync);
}

}  // namespace bench
