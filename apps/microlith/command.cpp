#include "microlith/command.hpp"

#include <microlith/messages/print.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iostream>

namespace tool {

void add_data_option(CLI::App& command, std::filesystem::path& data) {
  command.add_option("--data", data, "Data directory of a node, running or not")
      ->required()
      ->type_name("DIR");
}

std::string check_count(const std::string& text) {
  std::uint64_t value = 0;
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong == std::errc{} && end == text.data() + text.size() && !text.empty())
    return {};
  return "'" + microlith::print_text(text) + "' is no whole number from 0 on";
}

int complain(const microlith::storage_error& error) {
  (void)complain(error.text);
  return error.kind == microlith::storage_error_kind::damaged ? exit_damage : exit_wrong_use;
}

int complain(std::string_view text) {
  std::cout << std::flush;
  std::cerr << "microlith: " << text << std::endl;
  return exit_wrong_use;
}

int finish_output() {
  errno = 0;
  std::cout << std::flush;
  if (std::cout || errno == EPIPE)
    return exit_fine;
  return complain("cannot write to standard output: it is closed, or its disk is full");
}

bool is_within(const std::filesystem::path& place, const std::filesystem::path& directory) {
  auto resolved = [](const std::filesystem::path& given) {
    std::error_code error;
    auto path = std::filesystem::weakly_canonical(std::filesystem::absolute(given, error), error);
    return path.has_filename() ? path : path.parent_path();
  };
  auto inner = resolved(place);
  auto outer = resolved(directory);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array units{"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

}  // namespace tool
