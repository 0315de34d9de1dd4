#include "microlith/journal_views.hpp"

#include "microlith/command.hpp"
#include "microlith/event_text.hpp"
#include "microlith/journal_scan.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>
#include <microlith/persistence/journal_reader.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <iostream>
#include <vector>

namespace tool {

using namespace microlith;

namespace {

class event_printer {
 public:
  explicit event_printer(bool json) : json_{json} {}

  /// Whether somebody still reads.
  bool operator()(const record_view& record) {
    std::cout << (json_ ? boost::json::serialize(text_.json(record)) : text_.line(record)) << '\n';
    return std::cout.good();
  }

 private:
  bool json_;
  event_text text_;
};

struct type_count {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
};

}  // namespace

int journal_stats(const stats_options& options) {
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  auto types = (*reader)->types();
  std::vector<type_count> counts(types.size() + 1);
  std::optional<wall_time> first;
  wall_time last{};
  auto problem =
      for_each_event(**reader, 1, (*reader)->last_position(), [&](const record_view& record) {
        if (record.type->id >= counts.size())
          counts.resize(record.type->id + 1);
        auto& count = counts[record.type->id];
        ++count.events;
        count.bytes += record.body.size();
        first = first.value_or(record.time);
        last = record.time;
        return true;
      });
  types = (*reader)->types();
  counts.resize(types.size() + 1);
  auto size = (*reader)->size();
  if (options.json) {
    boost::json::object out;
    out["events"] = (*reader)->last_position();
    out["epoch"] = to_string((*reader)->epoch());
    if (first) {
      out["first_time"] = time_text(*first);
      out["last_time"] = time_text(last);
    }
    out["file_bytes"] = size.file_bytes;
    out["used_bytes"] = size.used_bytes;
    out["record_bytes"] = size.record_bytes;
    auto& all = out["types"].emplace_array();
    for (const auto& type : types)
      all.push_back({{"type", type.name},
                     {"version", type.version},
                     {"events", counts[type.id].events},
                     {"body_bytes", counts[type.id].bytes}});
    std::cout << boost::json::serialize(out) << '\n';
  } else {
    std::cout << "events   " << (*reader)->last_position() << '\n';
    if (first)
      std::cout << "from     " << time_text(*first) << "\nto       " << time_text(last) << '\n';
    std::cout << "file     " << size_text(size.file_bytes) << ", " << size_text(size.used_bytes)
              << " in use, " << size_text(size.record_bytes) << " of them events\n"
              << "epoch    " << to_string((*reader)->epoch()) << "\ntypes    " << types.size()
              << '\n';
    for (const auto& type : types)
      std::cout << "  " << print_text(type.name) << " version " << type.version << ": "
                << counts[type.id].events << " events, " << size_text(counts[type.id].bytes)
                << '\n';
  }
  auto code = finish_output();
  return problem ? complain(*problem) : code;
}

int list_events(const list_options& options) {
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  event_printer print{options.json};
  std::uint64_t shown = 0;
  bool cut = false;
  auto problem = for_each_match(**reader, options.filter, [&](const record_view& record) {
    cut = options.limit != 0 && shown == options.limit;
    if (cut)
      return false;
    ++shown;
    return print(record);
  });
  auto code = finish_output();
  if (problem)
    return complain(*problem);
  if (cut)
    std::cerr << "microlith: there are more; --limit shows more of them, --from later ones\n";
  return code;
}

int show_event(const show_options& options) {
  auto reader = journal_reader::open(options.data);
  if (!reader)
    return complain(reader.error());
  std::uint64_t position = 0;
  const auto* end = options.which.data() + options.which.size();
  auto [stop, wrong] = std::from_chars(options.which.data(), end, position);
  bool is_position = wrong == std::errc{} && stop == end;
  auto id = message_id::parse(options.which);
  if (!is_position && !id)
    return complain("'" + print_text(options.which) +
                    "' is neither a position nor an id of 36 characters");
  if (!is_position) {
    auto at = (*reader)->position_of(*id);
    if (!at)
      return complain(at.error());
    position = *at;
  }
  event_text text;
  bool found = false;
  auto show = [&](const record_view& record) {
    found = true;
    std::cout << (options.json ? boost::json::serialize(text.json(record)) + '\n'
                               : text.paragraph(record));
    return false;
  };
  auto problem = position == 0 ? std::nullopt : for_each_event(**reader, position, position, show);
  if (problem)
    return complain(*problem);
  if (!found)
    return complain("there is no event " + options.which + " in " + options.data.string() +
                    ", which ends at position " + std::to_string((*reader)->last_position()));
  return finish_output();
}

}  // namespace tool
