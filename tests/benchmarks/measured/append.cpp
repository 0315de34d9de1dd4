// Durable appends of one event of 200 bytes each, acknowledged one by one: the journal as a
// library, an event bus, or raw LMDB. Whatever is due is one group commit.

#include "../journal_samples.hpp"
#include "../load.hpp"

#include <microlith/actors/node.hpp>

namespace {

using namespace bench;
using namespace std::chrono_literals;

constexpr auto sync_mode = "each commit, fdatasync; appends on their way share one";
constexpr std::size_t text_bytes = 180;

/// `commit(n)` appends n events and returns when they are durable.
template <class Commit>
void in_groups(const arguments& from, Commit commit) {
  load work{plan{from}};
  std::vector<steady::time_point> due;
  while (!work.over()) {
    while (work.may_begin())
      due.push_back(work.began());
    if (due.empty()) {
      std::this_thread::sleep_until(work.next_due());
      continue;
    }
    commit(due.size());
    for (auto one : due)
      work.ended(one);
    due.clear();
  }
  work.print(from, sync_mode);
}

void with_journal(const arguments& from) {
  auto journal = open(from.text("directory"));
  std::uint64_t number = 0;
  in_groups(from, [&](std::size_t events) {
    std::vector<microlith::append_request> batch(events);
    for (auto& request : batch) {
      request.id = microlith::message_id::make();
      ++number;
      request.events.push_back(
          make_event(number % 100'000, stream_name(number * 7919 % 10'000), request.id));
    }
    (void)append(*journal, std::move(batch));
  });
}

void with_lmdb(const arguments& from) {
  raw_journal raw{from.text("directory")};
  in_groups(from, [&](std::size_t events) { (void)raw.append(events); });
}

void with_event_bus(const arguments& from) {
  microlith::component items{"bench.items"};
  items.publishes<item_added_event>();
  auto node = microlith::node::start({.data = from.text("directory"), .threads = 2}, {items});
  if (!node)
    give_up("start a node", node.error().text);
  auto events = node->events();
  const std::string text(text_bytes, 'x');
  shared_load* current = nullptr;
  shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                     events.dispatch_and_wait<microlith::accepted>(
                         item_added_event{number, text}, 30s,
                         [&, due](const microlith::answer<microlith::accepted>& answer) {
                           if (answer.failed())
                             give_up("append", "it failed");
                           current->ended(due);
                         });
                   }};
  current = &work;
  work.run();
  work.print(from, sync_mode);
  node->stop();
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  auto subject = from.text("subject");
  if (subject == "journal")
    with_journal(from);
  else if (subject == "event_bus")
    with_event_bus(from);
  else if (subject == "lmdb")
    with_lmdb(from);
  else
    give_up("append", "--subject is journal, event_bus or lmdb");
}
