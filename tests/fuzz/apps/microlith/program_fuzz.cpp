// The command line of the tool: lines are arguments. Whatever they are, it ends with one of its
// exit codes, and a journal that it reads stays as it was.
//
// It runs in a directory of its own, which holds a journal in `data`; so that it stays there, and
// ends, arguments hold no '/' and no "..", and nothing is followed with `tail`.

#include "fuzz/fuzz.hpp"
#include "microlith/command.hpp"
#include "microlith/program.hpp"

#include <microlith/persistence/journal.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

using namespace microlith;

namespace {

struct noted_event {
  using message = microlith::event<"fuzz.noted_event">;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(noted_event, (), (text))

/// Takes what the tool prints.
class nowhere final : public std::streambuf {
  int overflow(int c) override { return c; }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

std::string journal_bytes() {
  std::ifstream in{"data/journal/data.mdb", std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Makes the directory, goes there, and returns what the journal holds.
std::string settle_down() {
  auto pattern = (std::filesystem::temp_directory_path() / "microlith-fuzz-XXXXXX").string();
  test::must(::mkdtemp(pattern.data()) != nullptr && ::chdir(pattern.c_str()) == 0,
             "a directory can be made");
  static std::string to_remove;
  to_remove = pattern;
  std::atexit([] {
    std::error_code ignored;
    std::filesystem::remove_all(to_remove, ignored);
  });
  // Never destroyed: the streams are flushed once more after everything else has ended.
  static auto& output = *new nowhere;
  std::cout.rdbuf(&output);
  std::cerr.rdbuf(&output);
  {
    auto opened = journal::open({.directory = "data", .sync = false});
    test::must(opened.has_value(), "a journal can be made");
    for (int i = 0; i < 5; ++i) {
      envelope_head head;
      head.id = message_id::make();
      head.correlation = correlation_id::make();
      append_request request;
      request.id = message_id::make();
      request.events.push_back({envelope{head, noted_event{"text"}}, "notes/a"});
      (void)(*opened)->append(std::span{&request, 1});
    }
  }
  return journal_bytes();
}

std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments{"microlith"};
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return arguments;
}

bool stays_here_and_ends(const std::vector<std::string>& arguments) {
  return std::none_of(arguments.begin(), arguments.end(), [](const std::string& one) {
    return one == "tail" || one.find('/') != std::string::npos ||
           one.find("..") != std::string::npos || one.find('\0') != std::string::npos;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto before = settle_down();
  auto arguments = arguments_of({reinterpret_cast<const char*>(data), size});
  if (!stays_here_and_ends(arguments))
    return 0;
  std::vector<const char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(argument.c_str());
  auto code = tool::run_program(static_cast<int>(argv.size()), argv.data());
  test::must(code == tool::exit_fine || code == tool::exit_damage || code == tool::exit_wrong_use,
             "the exit code is one of the tool's");
  test::planted_bug(code == tool::exit_wrong_use && arguments.size() == 6 &&
                    arguments[2] == "show");
  static unsigned runs = 0;
  if (++runs % 16 == 0)
    test::must(journal_bytes() == before, "a journal that is read stays as it was");
  return 0;
}
