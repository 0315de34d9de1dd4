#include "microlith/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

namespace tool {

namespace {

constexpr std::size_t bar_characters = 30;
constexpr std::chrono::milliseconds between_looks{100};

}  // namespace

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t of) {
  auto part = of == 0 ? 1.0 : static_cast<double>(std::min(done, of)) / static_cast<double>(of);
  auto filled = static_cast<std::size_t>(part * bar_characters);
  auto percent = std::to_string(static_cast<int>(part * 100));
  return what + "  [" + std::string(filled, '#') + std::string(bar_characters - filled, '-') +
         "]  " + std::string(3 - std::min<std::size_t>(3, percent.size()), ' ') + percent + "%  " +
         std::to_string(done) + " of " + std::to_string(of);
}

progress_bar::progress_bar(std::string what)
    : what_{std::move(what)}, on_terminal_{::isatty(STDERR_FILENO) == 1} {}

progress_bar::~progress_bar() {
  if (shown_)
    std::cerr << "\r\x1b[K" << std::flush;
}

void progress_bar::show(std::uint64_t done, std::uint64_t of) {
  if (!on_terminal_)
    return;
  auto now = std::chrono::steady_clock::now();
  if (now < next_)
    return;
  next_ = now + between_looks;
  shown_ = true;
  std::cerr << '\r' << progress_text(what_, done, of) << "\x1b[K" << std::flush;
}

}  // namespace tool
