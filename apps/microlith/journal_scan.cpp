#include "microlith/journal_scan.hpp"

#include <algorithm>

namespace tool {

namespace {

constexpr microlith::read_limits page{.events = 10'000, .bytes = std::uint64_t{16} << 20};

}  // namespace

std::optional<microlith::storage_error> for_each_event(microlith::journal_reader& reader,
                                                       std::uint64_t from, std::uint64_t to,
                                                       microlith::record_visitor visit) {
  from = std::max<std::uint64_t>(from, 1);
  for (bool more = true; more && from <= to;) {
    auto limits = page;
    limits.events = std::min(limits.events, to - from + 1);
    auto progress = reader.read(from, limits, [&](const microlith::record_view& record) {
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

std::optional<microlith::storage_error> for_each_match(microlith::journal_reader& reader,
                                                       const event_filter& filter,
                                                       microlith::record_visitor visit) {
  auto matching = [&](const microlith::record_view& record) {
    if (record.position > filter.to)
      return false;
    return !filter.takes(record) || visit(record);
  };
  bool one_stream = !filter.stream.empty() && !filter.stream.ends_with('*');
  if (!filter.correlation && !one_stream)
    return for_each_event(reader, filter.from, filter.to, matching);
  auto done = filter.correlation
                  ? reader.read_conversation(*filter.correlation, filter.from, matching)
                  : reader.read_stream(filter.stream, filter.from, matching);
  if (!done)
    return done.error();
  return std::nullopt;
}

}  // namespace tool
