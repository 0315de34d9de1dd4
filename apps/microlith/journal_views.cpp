#include "microlith/journal_views.hpp"

#include "microlith/command.hpp"
#include "microlith/event_text.hpp"

#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>
#include <microlith/persistence/journal_reader.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

namespace tool {

using namespace microlith;

namespace {

constexpr read_limits page{.events = 10'000, .bytes = std::uint64_t{16} << 20};

/// Visits the events of a range of positions until the visitor has enough.
std::optional<storage_error> for_each(journal_reader& reader, std::uint64_t from, std::uint64_t to,
                                      function_ref<bool(const record_view&)> visit) {
  bool more = true;
  while (more && from <= to) {
    auto limits = page;
    limits.events = std::min(limits.events, to - from + 1);
    auto progress = reader.read(from, limits, [&](const record_view& record) {
      more = visit(record);
      return more;
    });
    if (!progress)
      return progress.error();
    if (progress->end)
      break;
    from = progress->next;
  }
  return std::nullopt;
}

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
  auto problem = for_each(**reader, 1, (*reader)->last_position(), [&](const record_view& record) {
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
  std::uint64_t shown = 0;
  bool cut = false;
  auto problem =
      for_each(**reader, options.filter.from, options.filter.to, [&](const record_view& record) {
        if (!options.filter.takes(record))
          return true;
        if (options.limit != 0 && shown == options.limit) {
          cut = true;
          return false;
        }
        ++shown;
        std::cout << (options.json ? boost::json::serialize(event_json(record))
                                   : event_line(record))
                  << '\n';
        return std::cout.good();
      });
  auto code = finish_output();
  if (problem)
    return complain(*problem);
  if (cut)
    std::cerr << "microlith: there are more; --limit shows more of them, --from later ones\n";
  return code;
}

}  // namespace tool
