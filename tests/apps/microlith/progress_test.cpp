#include "apps/microlith/tool.hpp"

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>

using tool::test::lines_of;
using tool::test::program;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t events = 5000;

/// The other end of a terminal.
class terminal {
 public:
  terminal() : ours_{::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)} {
    if (ours_ < 0 || ::grantpt(ours_) != 0 || ::unlockpt(ours_) != 0)
      throw std::runtime_error{"cannot make a terminal"};
    theirs_ = ::open(::ptsname(ours_), O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal() {
    ::close(ours_);
    ::close(theirs_);
  }

  [[nodiscard]] int theirs() const { return theirs_; }

  /// What has been written to it.
  [[nodiscard]] std::string text() const {
    std::string all;
    char part[4096];
    for (ssize_t size = 0; (size = ::read(ours_, part, sizeof part)) > 0;)
      all.append(part, static_cast<std::size_t>(size));
    return all;
  }

 private:
  int ours_;
  int theirs_ = -1;
};

/// Runs the tool with a terminal as its standard error.
microlith::test::child_process::ending run_on(const terminal& screen,
                                              const std::vector<std::string>& arguments) {
  auto copies = arguments;
  std::string name = program.string();
  std::vector<char*> argv{name.data()};
  for (auto& argument : copies)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  microlith::test::child_process child{[&] {
    ::dup2(screen.theirs(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }};
  return child.wait();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(progress)

BOOST_AUTO_TEST_CASE(long_work_shows_a_bar_on_a_terminal_and_wipes_it) {
  microlith::test::temporary_directory directory;
  auto data = (directory.path() / "d").string();
  auto copy = (directory.path() / "copy").string();
  sample::append_ok(*tool::test::journal_in(data), sample::to_stream("thing", events));
  const std::string wiped = "\r\x1b[K";
  for (const auto& arguments :
       {std::vector<std::string>{"journal", "verify", "--data", data},
        {"journal", "export", "--data", data},
        {"journal", "backup", "--data", data, "--to", copy},
        {"journal", "restore", "--from", copy, "--data", (directory.path() / "back").string()}}) {
    terminal screen;
    auto end = run_on(screen, arguments);
    BOOST_TEST(end.code == 0, arguments[1]);
    auto seen = screen.text();
    BOOST_TEST(seen.starts_with('\r' + arguments[1] + "  ["), arguments[1] << ": " << seen);
    BOOST_TEST(seen.find(" of " + std::to_string(events)) != std::string::npos, seen);
    BOOST_TEST(seen.ends_with(wiped), arguments[1]);
    // What is printed has nothing of it.
    BOOST_TEST(end.out.find('\r') == std::string::npos, arguments[1]);
    BOOST_TEST(lines_of(end.out).size() == (arguments[1] == "export" ? events : 1U), arguments[1]);
  }
}

BOOST_AUTO_TEST_CASE(elsewhere_there_is_none) {
  microlith::test::temporary_directory directory;
  auto data = (directory.path() / "d").string();
  sample::append_ok(*tool::test::journal_in(data), sample::to_stream("thing", events));
  for (const char* command : {"verify", "export"})
    BOOST_TEST(tool::test::run({"journal", command, "--data", data}).err.empty(), command);
}

BOOST_AUTO_TEST_SUITE_END()
