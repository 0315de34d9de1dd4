#pragma once

// A program run by a test: its output, its signals, its end. Killed at the end if it still runs.
// Or a copy of the test's own process that runs a function.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace microlith::test {

class child_process {
 public:
  struct ending {
    int code = 0;  ///< of `exit`; -1 if a signal ended it
    int signal = 0;
    std::string out;  ///< what was not read as lines
    std::string err;
  };

  /// Runs `program` with these arguments; `input` is its standard input.
  child_process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                std::string_view input = {});
  /// Runs `function` in a copy of this process, of which it has but the calling thread, and ends it
  /// with 0 when the function returns.
  explicit child_process(const std::function<void()>& function);
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next line of standard output, without its end; nothing at the end of the output.
  [[nodiscard]] std::optional<std::string> read_line();

  void signal(int number) const;

  /// Waits for its end.
  [[nodiscard]] ending wait();

  /// Resident memory, in bytes.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  void start(const std::function<void()>& run, std::string_view input);

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string buffer_;
};

}  // namespace microlith::test
