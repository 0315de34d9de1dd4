// `microlith journal tail` and `export`: the end of a journal, and all of it.

#include "microlith/command.hpp"
#include "microlith/event_text.hpp"
#include "microlith/journal_scan.hpp"
#include "microlith/journal_views.hpp"
#include "microlith/progress.hpp"

#include <boost/json/serialize.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

namespace tool {

using namespace microlith;

namespace {

constexpr int between_looks_ms = 100;
constexpr std::uint64_t first_look_back = 1000;

volatile std::sig_atomic_t interrupted = 0;

void end_when_interrupted() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// Waits a moment; false where it is over.
bool wait_for_more() {
  pollfd output{STDOUT_FILENO, 0, 0};
  ::poll(&output, 1, between_looks_ms);
  return interrupted == 0 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

std::string printed(event_text& text, const record_view& record, bool json) {
  return (json ? boost::json::serialize(text.json(record)) : text.line(record)) + '\n';
}

/// The last events that the filter takes, in order: looks back further and further.
std::optional<storage_error> last_events(journal_reader& reader, const tail_options& options,
                                         event_text& text, std::vector<std::string>& out) {
  auto end = std::min(reader.last_position(), options.filter.to);
  for (auto back = std::max(first_look_back, options.events); end >= options.filter.from;
       back *= 4) {
    auto from = std::max(options.filter.from, end > back ? end - back + 1 : 1);
    std::vector<std::string> found;
    auto problem = for_each_event(reader, from, end, [&](const record_view& record) {
      if (options.filter.takes(record))
        found.push_back(printed(text, record, options.json));
      return true;
    });
    if (problem)
      return problem;
    found.insert(found.end(), out.begin(), out.end());
    out = std::move(found);
    if (out.size() >= options.events || from <= 1)
      break;
    end = from - 1;
  }
  if (out.size() > options.events)
    out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(options.events));
  return std::nullopt;
}

struct close_file {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

int tail_events(const tail_options& options) {
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  event_text text;
  std::vector<std::string> last;
  auto next = (*reader)->last_position() + 1;
  if (options.events > 0) {
    if (auto problem = last_events(**reader, options, text, last))
      return complain(*problem);
  }
  for (const auto& event : last)
    std::cout << event;
  if (!options.follow)
    return finish_output();
  end_when_interrupted();
  while (std::cout << std::flush && wait_for_more()) {
    if (auto looked = (*reader)->refresh(); !looked)
      return complain(looked.error());
    auto end = std::min((*reader)->last_position(), options.filter.to);
    auto problem = for_each_event(**reader, next, end, [&](const record_view& record) {
      next = record.position + 1;
      if (options.filter.takes(record))
        std::cout << printed(text, record, options.json);
      return std::cout.good();
    });
    if (problem)
      return complain(*problem);
  }
  return finish_output();
}

int export_events(const export_options& options) {
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  std::unique_ptr<std::FILE, close_file> file;
  if (!options.to.empty()) {
    if (is_within(options.to, options.data))
      return complain("cannot export to " + options.to.string() +
                      ": it lies in the data directory that is read. Name a place outside");
    file.reset(std::fopen(options.to.c_str(), "wx"));
    if (!file)
      return complain("cannot export to " + options.to.string() + ": " +
                      std::generic_category().message(errno) + ". Name a file that is not there");
  }
  event_text text;
  progress_bar bar{"export"};
  auto last = std::min((*reader)->last_position(), options.filter.to);
  bool written = true;
  auto problem =
      for_each_event(**reader, options.filter.from, last, [&](const record_view& record) {
        bar.show(record.position, last);
        if (!options.filter.takes(record))
          return true;
        auto line = printed(text, record, true);
        if (file)
          written = std::fwrite(line.data(), 1, line.size(), file.get()) == line.size();
        else
          written = static_cast<bool>(std::cout << line);
        return written;
      });
  if (file) {
    written = written && std::fflush(file.get()) == 0 && ::fsync(::fileno(file.get())) == 0;
    if (!written)
      return complain("cannot write to " + options.to.string() + ": " +
                      std::generic_category().message(errno) +
                      ". What is there is not all of it; make room and export again");
  }
  auto code = finish_output();
  return problem ? complain(*problem) : code;
}

}  // namespace tool
