#include "crash/ledger.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace microlith::test {

namespace {

constexpr std::size_t map_bytes = std::size_t{64} << 20;
// Merges must happen within a few dozen commits.
constexpr std::size_t merge_threshold = 24;
constexpr std::uint64_t streams = 7;
constexpr read_limits everything{.events = ~std::uint64_t{0}, .bytes = ~std::uint64_t{0}};

template <class Event>
envelope message_of(message_id id, Event event) {
  envelope_head head;
  head.id = id;
  head.correlation = correlation_id::make();
  head.root = id;
  head.time = wall_time{std::chrono::microseconds{1'700'000'000'000'000}};
  return envelope{std::move(head), std::move(event)};
}

}  // namespace

projection noted_projection() {
  projection p{"crash.streams", 1};
  p.keeps(noted_rows);
  auto count = [](const std::string& stream, std::uint64_t number, write_transaction& t) {
    auto row = noted_rows.get(t, stream).value_or(noted_row{});
    noted_rows.put(t, stream, {row.events + 1, row.sum + number});
  };
  p.on<noted_event>(
      [=](const noted_event& e, write_transaction& t) { count(e.stream, e.number, t); });
  p.on<marked_event>(
      [=](const marked_event& e, write_transaction& t) { count(e.stream, e.number, t); });
  return p;
}

journal_options small_journal(const std::filesystem::path& data) {
  return {.directory = data,
          .map_limit_bytes = map_bytes,
          .merge_threshold = merge_threshold,
          .merge_in_background = false};
}

std::vector<append_request> ledger::next_batch() {
  auto up_to = [&](std::uint64_t end) { return random_() % end; };
  std::vector<append_request> batch(1 + up_to(3));
  for (auto& request : batch) {
    request.id = message_id::make();
    auto count = 1 + up_to(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      noted n{.stream = up_to(10) == 0 ? "" : "s" + std::to_string(up_to(streams)),
              .number = events_.size(),
              .text = {},
              .is_marked = events_.size() > 20 && up_to(4) == 0,
              .id = message_id::make(),
              .append = request.id};
      if (!n.stream.empty())
        n.version = ++versions_[n.stream];
      if (!n.is_marked)
        n.text = std::string(up_to(12) == 0 ? 2'000 + up_to(12'000) : up_to(120), 'x');
      auto message = n.is_marked ? message_of(n.id, marked_event{n.stream, n.number})
                                 : message_of(n.id, noted_event{n.stream, n.number, n.text});
      request.events.push_back({std::move(message), n.stream});
      events_.push_back(std::move(n));
    }
  }
  events_.back().ends_batch = true;
  return batch;
}

void ledger::shorten(std::uint64_t size) {
  events_.resize(size);
  versions_.clear();
  for (const auto& event : events_)
    versions_[event.stream] = event.version;
}

std::string ledger::problem_with(const std::filesystem::path& data,
                                 std::uint64_t acknowledged) const {
  auto opened = journal::open(small_journal(data));
  if (!opened)
    return "it does not open: " + to_string(opened.error());
  auto& j = **opened;
  if (auto problem = problem_with(j, acknowledged); !problem.empty())
    return problem;
  if (auto problem = problem_with_rows(data, j); !problem.empty())
    return problem;
  auto last = j.last_position();
  append_request more;
  more.id = message_id::make();
  more.events.push_back({message_of(message_id::make(), noted_event{"s0", 0, "after"}), "s0"});
  auto outcome = j.append(std::span{&more, 1}).front();
  const auto* done = std::get_if<appended>(&outcome);
  if (done == nullptr || done->first_position != last + 1)
    return "nothing more can be appended";
  return {};
}

std::string ledger::problem_with(const journal& opened, std::uint64_t acknowledged) const {
  auto last = opened.last_position();
  if (last < acknowledged)
    return "it ends at event " + std::to_string(last) + ", and " + std::to_string(acknowledged) +
           " were acknowledged";
  if (last > events_.size())
    return "it ends at event " + std::to_string(last) + ", and only " +
           std::to_string(events_.size()) + " were ever appended";
  if (last != 0 && !events_[last - 1].ends_batch)
    return "it ends at event " + std::to_string(last) + ", within a batch";
  std::string problem;
  std::uint64_t position = 0;
  auto read = opened.read(1, everything, [&](const record_view& record) {
    problem = record.position != ++position ? "positions have a gap" : problem_with(record);
    return problem.empty();
  });
  if (!read)
    return to_string(read.error());
  if (!problem.empty())
    return "event " + std::to_string(position) + ": " + problem;
  if (position != last)
    return "only " + std::to_string(position) + " of its events can be read";
  return problem_with_index(opened);
}

std::string ledger::problem_with(const record_view& record) const {
  const auto& expected = events_[record.position - 1];
  if (record.id != expected.id || record.append != expected.append)
    return "it has other ids";
  if (record.stream != expected.stream || record.stream_version != expected.version)
    return "it is of another stream or version";
  if (expected.is_marked) {
    auto event = decode<marked_event>(record.body);
    if (record.type->name != wire_name<marked_event> || !event || event->number != expected.number)
      return "it says something else";
    return {};
  }
  auto event = decode<noted_event>(record.body);
  if (record.type->name != wire_name<noted_event> || !event || event->number != expected.number ||
      event->text != expected.text)
    return "it says something else";
  return {};
}

std::string ledger::problem_with_index(const journal& opened) const {
  auto last = opened.last_position();
  std::map<std::string, std::vector<std::uint64_t>> streams_now;
  for (std::uint64_t position = 1; position <= last; ++position) {
    const auto& event = events_[position - 1];
    if (!event.stream.empty())
      streams_now[event.stream].push_back(position);
    auto found = opened.position_of(event.id);
    if (!found || *found != position)
      return "the id of event " + std::to_string(position) + " is not found";
    auto append = opened.append_of(event.append);
    if (!append || !*append || (*append)->first > position || (*append)->last < position)
      return "the append of event " + std::to_string(position) + " is not found";
  }
  for (auto position = last + 1; position <= events_.size(); ++position) {
    auto found = opened.position_of(events_[position - 1].id);
    if (!found || found->has_value())
      return "the id of an event is found that is not there";
  }
  for (std::uint64_t i = 0; i < streams; ++i) {
    auto name = "s" + std::to_string(i);
    const auto& expected = streams_now[name];
    auto version = opened.stream_version(name);
    std::vector<std::uint64_t> positions;
    auto read = opened.read_stream(name, 1, everything,
                                   [&](const record_view& r) { positions.push_back(r.position); });
    if (!version || *version != expected.size() || !read || positions != expected)
      return "stream " + name + " is not what its events come to" +
             (read ? "" : ": " + to_string(read.error()));
  }
  return {};
}

template <class Journal>
reading_outcome ledger::read_records(Journal& from) const {
  reading_outcome outcome;
  if (from.last_position() != events_.size()) {
    outcome.wrong = "it says that it ends at event " + std::to_string(from.last_position()) +
                    " of " + std::to_string(events_.size());
    return outcome;
  }
  std::uint64_t next = 1;
  while (next <= events_.size() && outcome.wrong.empty()) {
    auto read = from.read(next, everything, [&](const record_view& record) {
      if (record.position != next++)
        outcome.wrong = "an event is left out";
      else
        outcome.wrong = problem_with(record);
      return outcome.wrong.empty();
    });
    if (read)
      continue;
    outcome.errors.push_back(read.error());
    ++next;
  }
  return outcome;
}

reading_outcome ledger::read_what_can_be(journal_reader& opened) const {
  return read_records(opened);
}

reading_outcome ledger::read_what_can_be(const journal& opened) const {
  auto outcome = read_records(opened);
  for (std::uint64_t i = 0; i < streams && outcome.wrong.empty(); ++i) {
    auto name = "s" + std::to_string(i);
    auto known = versions_.find(name);
    auto last = known == versions_.end() ? 0 : known->second;
    std::uint64_t version = 0;
    auto read = opened.read_stream(name, 1, everything, [&](const record_view& record) {
      if (record.stream_version != ++version)
        outcome.wrong = "an event of a stream is left out";
      else
        outcome.wrong = problem_with(record);
      return outcome.wrong.empty();
    });
    if (!read)
      outcome.errors.push_back(read.error());
    else if (outcome.wrong.empty() && version != last)
      outcome.wrong = "a stream is cut";
  }
  return outcome;
}

std::map<std::string, noted_row> ledger::fold(std::uint64_t up_to) const {
  std::map<std::string, noted_row> rows;
  for (std::uint64_t i = 0; i < up_to; ++i) {
    auto& row = rows[events_[i].stream];
    ++row.events;
    row.sum += events_[i].number;
  }
  return rows;
}

std::string ledger::problem_with_rows(const std::filesystem::path& data,
                                      const journal& opened) const {
  auto store = projection_store::open(noted_projection(),
                                      {.directory = data, .map_limit_bytes = map_bytes}, opened);
  if (!store)
    return "the projection does not open: " + to_string(store.error());
  auto rows_differ = [&] {
    std::map<std::string, noted_row> rows;
    (*store)->read([&](const read_transaction& t) {
      noted_rows.for_each(
          t, [&](const std::string& stream, const noted_row& row) { rows[stream] = row; });
    });
    auto same = [](const auto& a, const auto& b) {
      return a.first == b.first && a.second.events == b.second.events &&
             a.second.sum == b.second.sum;
    };
    auto expected = fold((*store)->checkpoint());
    return !std::equal(rows.begin(), rows.end(), expected.begin(), expected.end(), same);
  };
  if ((*store)->checkpoint() > opened.last_position())
    return "the projection is ahead of its journal";
  if (rows_differ())
    return "the projection is not what the events up to its checkpoint come to";
  while ((*store)->checkpoint() < opened.last_position()) {
    if (auto progress = (*store)->catch_up(opened); !progress)
      return "the projection does not catch up: " + to_string(progress.error());
  }
  return rows_differ() ? "the projection is not what its events come to" : "";
}

}  // namespace microlith::test
