#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace microlith::test {

namespace {

int memory_file(std::string_view content) {
  int file = ::memfd_create("test", MFD_CLOEXEC);
  if (file < 0 || ::write(file, content.data(), content.size()) < 0)
    throw std::runtime_error{"cannot make a file in memory"};
  ::lseek(file, 0, SEEK_SET);
  return file;
}

std::string read_all(int file) {
  std::string text;
  char chunk[4'096];
  for (ssize_t size = 0; (size = ::read(file, chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(size));
  return text;
}

}  // namespace

child_process::child_process(const std::filesystem::path& program,
                             const std::vector<std::string>& arguments, std::string_view input) {
  std::string name = program.string();
  std::vector<char*> argv{name.data()};
  auto copies = arguments;
  for (auto& argument : copies)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  start(
      [&argv] {
        ::execv(argv[0], argv.data());
        ::_exit(127);
      },
      input);
}

child_process::child_process(const std::function<void()>& function) {
  start(function, {});
}

void child_process::start(const std::function<void()>& run, std::string_view input) {
  int in = memory_file(input);
  err_ = memory_file({});
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0)
    throw std::runtime_error{"cannot make a pipe"};
  pid_ = ::fork();
  if (pid_ == 0) {
    // A test that dies takes its children with it only if it gets to its destructors; this is for
    // the other cases, and keeps nothing running on the machine.
    ::alarm(600);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err_, STDERR_FILENO);
    run();
    ::_exit(0);
  }
  ::close(in);
  ::close(out[1]);
  out_ = out[0];
}

child_process::~child_process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_);
  ::close(err_);
}

std::optional<std::string> child_process::read_line() {
  while (true) {
    auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    char chunk[4'096];
    auto size = ::read(out_, chunk, sizeof chunk);
    if (size <= 0)
      return std::nullopt;
    buffer_.append(chunk, static_cast<std::size_t>(size));
  }
}

void child_process::signal(int number) const {
  ::kill(pid_, number);
}

child_process::ending child_process::wait() {
  ending end;
  end.out = buffer_ + read_all(out_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ::lseek(err_, 0, SEEK_SET);
  end.err = read_all(err_);
  return end;
}

std::size_t child_process::memory_bytes() const {
  std::ifstream file{"/proc/" + std::to_string(pid_) + "/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace microlith::test
