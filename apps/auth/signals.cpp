#include "auth/signals.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <thread>

namespace auth {

namespace {

constexpr int signal_exit_base = 128;

void handle(const sigset_t& signals, std::chrono::milliseconds until_cut,
            std::promise<void> asked) {
  int signal = 0;
  sigwait(&signals, &signal);
  asked.set_value();

  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until_cut);
  std::chrono::nanoseconds rest = until_cut - seconds;
  timespec limit{.tv_sec = seconds.count(), .tv_nsec = rest.count()};
  signal = sigtimedwait(&signals, nullptr, &limit);
  // Whatever was acknowledged is durable already, as it is at any instant: ending now loses
  // nothing.
  if (signal > 0)
    _exit(signal_exit_base + signal);
  std::fputs("auth-node: stopping took too long and was cut short\n", stderr);
  _exit(0);
}

}  // namespace

stop_signals::stop_signals(std::chrono::milliseconds limit) {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::promise<void> asked;
  asked_ = asked.get_future().share();
  // Waits for signals until the process ends.
  std::thread{handle, signals, limit, std::move(asked)}.detach();
}

}  // namespace auth
