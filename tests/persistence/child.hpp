#pragma once

// Functions that run in a process of their own, which is this one's child and ends with them.

#include <boost/test/unit_test.hpp>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

namespace sample {

/// Begins `f`, which has a minute.
template <class F>
pid_t start_child(F f) {
  auto child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child != 0)
    return child;
  ::alarm(60);
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
    ::signal(signal, SIG_DFL);
  bool fine = false;
  try {
    fine = f();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "in a child: %s\n", error.what());
  }
  ::_exit(fine ? 0 : 1);
}

/// Its status, once it has ended; 0: `f` gave true.
inline int end_of(pid_t child) {
  int status = 0;
  BOOST_TEST_REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

/// Runs `f` there; true where it gave true.
template <class F>
bool in_child(F f) {
  return end_of(start_child(std::move(f))) == 0;
}

}  // namespace sample
