#pragma once

// Runs the program itself, and makes data directories for it.

#include "persistence/samples.hpp"
#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tool::test {

inline const std::filesystem::path program{MICROLITH_TOOL};

/// How a run ended. A signal fails the test: whatever happens, the program ends by itself.
inline microlith::test::child_process::ending run(const std::vector<std::string>& arguments) {
  auto end = microlith::test::child_process{program, arguments}.wait();
  BOOST_TEST(end.signal == 0);
  return end;
}

inline std::unique_ptr<microlith::journal> journal_in(const std::filesystem::path& data) {
  return sample::open_journal({.directory = data, .sync = false});
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < text.size();) {
    auto end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

}  // namespace tool::test
