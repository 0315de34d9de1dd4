#include "microlith/event_filter.hpp"

#include "microlith/command.hpp"

#include <microlith/messages/time_text.hpp>

#include <CLI/CLI.hpp>

#include <charconv>

namespace tool {

using microlith::wall_time;

namespace {

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty())
    return true;
  if (pattern.ends_with('*'))
    return text.starts_with(pattern.substr(0, pattern.size() - 1));
  return text == pattern;
}

std::optional<std::chrono::seconds> unit_of(std::string_view name) {
  using namespace std::chrono;
  if (name == "s")
    return seconds{1};
  if (name == "min")
    return minutes{1};
  if (name == "h")
    return hours{1};
  if (name == "d")
    return days{1};
  return std::nullopt;
}

void add_moment(CLI::App& command, const char* option, const char* what,
                std::optional<wall_time>& to) {
  command
      .add_option_function<std::string>(
          option,
          [option, &to](const std::string& text) {
            auto now =
                std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
            to = parse_moment(text, now);
            if (!to)
              throw CLI::ValidationError{
                  option,
                  "'" + text + "' is no time such as 2024-02-29T12:00:00Z, 2024-02-29 or 2h"};
          },
          what)
      ->type_name("TIME");
}

}  // namespace

std::optional<wall_time> parse_moment(std::string_view text, wall_time now) {
  if (auto time = microlith::parse_time(text))
    return time;
  constexpr std::uint32_t most = 1'000'000'000;
  std::uint32_t count = 0;
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), count);
  auto unit = unit_of({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  if (wrong != std::errc{} || !unit || count > most)
    return std::nullopt;
  return now - count * *unit;
}

bool event_filter::takes(const microlith::record_view& record) const {
  return matches(stream, record.stream) && matches(type, record.type->name) &&
         (!correlation || record.correlation == *correlation) &&
         (!since || record.time >= *since) && (!until || record.time < *until);
}

void add_filter_options(CLI::App& command, event_filter& to) {
  command.add_option("--from", to.from, "First position")->type_name("N")->check(check_count);
  command.add_option("--to", to.to, "Last position")->type_name("N")->check(check_count);
  command.add_option("--stream", to.stream, "Events of this stream; NAME* takes all that begin so")
      ->type_name("NAME");
  command.add_option("--type", to.type, "Events of this type; NAME* takes all that begin so")
      ->type_name("NAME");
  command
      .add_option_function<std::string>(
          "--correlation",
          [&to](const std::string& text) {
            to.correlation = microlith::correlation_id::parse(text);
            if (!to.correlation)
              throw CLI::ValidationError{"--correlation",
                                         "'" + text + "' is no id of 36 characters"};
          },
          "Events of this conversation")
      ->type_name("ID");
  add_moment(command, "--since", "Events of this time or later; 2h: of the last two hours",
             to.since);
  add_moment(command, "--until", "Events before this time", to.until);
}

}  // namespace tool
