// Replaying a journal: its events folded into a map in memory, or into rows of a projection; beside
// it raw LMDB, scanned. A hundred thousand items, each event adds one to one of 10,000.

#include "../journal_samples.hpp"
#include "../load.hpp"

#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <unordered_map>

namespace {

using namespace bench;

constexpr std::uint64_t items = 10'000;
constexpr std::uint64_t page_events = 50'000;

struct item_row {
  std::uint64_t times = 0;
  std::uint64_t last = 0;
};
BOOST_DESCRIBE_STRUCT(item_row, (), (times, last))

constexpr microlith::table<std::uint64_t, item_row> rows{"items"};

void print(const arguments& from, std::uint64_t events, double seconds, const char* sync) {
  std::printf(
      "{\"scenario\": \"replay\", \"into\": \"%s\", \"operations\": %llu, \"seconds\": %.6f, "
      "\"sync\": \"%s\"}\n",
      from.text("into").c_str(), static_cast<unsigned long long>(events), seconds, sync);
}

void fill(microlith::journal& to, std::uint64_t events) {
  for (std::uint64_t number = 0; number < events;) {
    std::vector<microlith::append_request> batch(std::min<std::uint64_t>(10'000, events - number));
    for (auto& request : batch) {
      request.id = microlith::message_id::make();
      ++number;
      request.events.push_back(
          make_event(number % items, stream_name(number * 7919 % items), request.id));
    }
    (void)append(to, std::move(batch));
  }
}

double into_memory(const microlith::journal& from) {
  std::unordered_map<std::uint64_t, item_row> folded;
  auto start = steady::now();
  std::uint64_t next = 1;
  while (next <= from.last_position()) {
    auto page = from.read(next, {.events = page_events, .bytes = std::uint64_t{1} << 26},
                          [&](const microlith::record_view& r) {
                            auto event = microlith::decode_version<item_added_event>(
                                r.type->version, r.body);
                            if (!event)
                              fail("decode", event.error().reason);
                            auto& row = folded[event->item];
                            ++row.times;
                            row.last = r.position;
                            return true;
                          });
    if (!page)
      fail("read", page.error().text);
    next = page->next;
  }
  return seconds_since(start);
}

double into_rows(const microlith::journal& from, const std::filesystem::path& directory) {
  microlith::projection p{"bench", 1};
  p.keeps(rows);
  p.on<item_added_event>([](const item_added_event& e, const microlith::event_info& info,
                            microlith::write_transaction& t) {
    auto row = rows.get(t, e.item).value_or(item_row{});
    rows.put(t, e.item, {row.times + 1, info.position});
  });
  auto store = microlith::projection_store::open(p, {.directory = directory}, from);
  if (!store)
    fail("projection", store.error().text);
  auto start = steady::now();
  for (bool more = true; more;) {
    auto progress = (*store)->catch_up(from, page_events);
    if (!progress)
      fail("catch up", progress.error().text);
    more = progress->more;
  }
  return seconds_since(start);
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  std::filesystem::path directory = from.text("directory");
  auto events = from.count("events", 100'000);
  if (from.text("subject") == "lmdb") {
    raw_journal raw{directory};
    for (std::uint64_t i = 0; i < events; i += batch_events)
      (void)raw.append();
    print(from, events, static_cast<double>(events) / raw.scan(), "reads only");
    return 0;
  }
  auto journal = open(directory);
  fill(*journal, events);
  if (from.text("into") == "rows")
    print(from, events, into_rows(*journal, directory), "each page of 50,000 events");
  else
    print(from, events, into_memory(*journal), "reads only");
}
