#include "microlith/child.hpp"

#include "microlith/command.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

namespace tool {

namespace {

// What a process brings upon itself.
constexpr std::array own_signals{SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT};

int ended_by(int number, const std::filesystem::path& at) {
  std::string name = ::strsignal(number);
  if (std::find(own_signals.begin(), own_signals.end(), number) == own_signals.end())
    return complain("not all of what lies in " + at.string() +
                    " was looked at: the process that did was ended by a signal (" + name +
                    "). Do it again, with more memory if there was too little");
  (void)complain("what lies in " + at.string() +
                 " is damaged so that looking at it ends in a signal (" + name +
                 "). Stop the node and restore a backup");
  return exit_damage;
}

}  // namespace

int in_child(const std::filesystem::path& at, const std::function<int()>& look) {
  std::cout << std::flush;
  auto child = ::fork();
  if (child < 0)
    return look();
  if (child == 0) {
    int code = exit_wrong_use;
    try {
      code = look();
    } catch (const std::exception& error) {
      code = complain(error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : ended_by(WTERMSIG(status), at);
}

}  // namespace tool
