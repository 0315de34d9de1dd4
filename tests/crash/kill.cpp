// kill -9: a node with a component runs in a process of its own, many threads dispatch commands to
// it, and at a random instant it is killed; sometimes while it starts. Afterwards every command
// that was acknowledged is in the journal once and whole, positions and versions have no gap, every
// total follows from the one before it, and the projection is a fold of the journal. Then the next
// node starts on what is there.
//
// Exit code 0: all rounds were fine. 1: one was not; what is wrong is printed.

#include "crash/driver.hpp"
#include "support/child_process.hpp"
#include "support/scripted_journal.hpp"

#include <microlith/actors/node.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/describe.hpp>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace kill_test {

struct add {
  using message = microlith::command<"crash.add">;
  std::string key;
  std::uint64_t amount = 0;
  std::uint32_t times = 1;
};
BOOST_DESCRIBE_STRUCT(add, (), (key, amount, times))

struct added {
  using message = microlith::event<"crash.added">;
  std::string key;
  std::uint64_t amount = 0;
  std::uint64_t total = 0;
  std::uint32_t number = 0;  ///< of `times` that one command makes
  std::uint32_t times = 0;
};
BOOST_DESCRIBE_STRUCT(added, (), (key, amount, total, number, times))

struct tally {
  static constexpr std::string_view stream = "crash.tally";
  std::uint64_t total = 0;
};
BOOST_DESCRIBE_STRUCT(tally, (), (total))

std::string stream_key(const add& command) {
  return command.key;
}

std::vector<added> decide(const tally& now, const add& command) {
  std::vector<added> events;
  auto total = now.total;
  for (std::uint32_t i = 0; i < command.times; ++i)
    events.push_back({command.key, command.amount, total += command.amount, i, command.times});
  return events;
}

tally evolve(tally, const added& event) {
  return {event.total};
}

struct tally_row {
  std::uint64_t events = 0;
  std::uint64_t total = 0;
  friend bool operator==(const tally_row&, const tally_row&) = default;
};
BOOST_DESCRIBE_STRUCT(tally_row, (), (events, total))

constexpr microlith::table<std::string, tally_row> tallies{"tallies"};

}  // namespace kill_test

namespace {

using namespace microlith;
using namespace microlith::test;
using namespace kill_test;
namespace fs = std::filesystem;

constexpr unsigned writers = 4;
constexpr std::uint64_t keys = 12;
// Merging is what is most likely to be met half done: small ones often, large ones now and then.
constexpr std::uint64_t appends_between_merges[]{8, 64, 512};
// A journal is put aside then: another one has to be made.
constexpr std::uint64_t enough_events = 20'000;

projection tally_projection() {
  projection p{"crash.tallies", 1};
  p.keeps(tallies);
  p.on<added>([](const added& e, write_transaction& t) {
    auto row = tallies.get(t, e.key).value_or(tally_row{});
    tallies.put(t, e.key, {row.events + 1, row.total + e.amount});
  });
  return p;
}

/// The process that is going to be killed. Says on standard output what was acknowledged, a line
/// each: the command's id in two words, the position of its first event.
int run_node(const fs::path& data, std::uint64_t seed) {
  component tally_component{"crash.tally"};
  tally_component.handles<tally, add>().projects(tally_projection());
  auto script = std::make_shared<journal_script>();
  std::mt19937_64 dice{seed};
  auto between_merges = appends_between_merges[dice() % std::size(appends_between_merges)];
  script->before_append = [&](journal& real) {
    if (dice() % between_merges == 0)
      (void)real.merge_now();
  };
  auto started = node::start({.data = data, .threads = 2, .wrap_journal = scripted(script)},
                             {tally_component});
  if (!started) {
    std::fprintf(stderr, "%s\n", to_string(started.error()).c_str());
    return 1;
  }
  std::mutex output;
  std::vector<std::thread> threads;
  for (unsigned writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer, commands = started->commands()] {
      std::mt19937_64 random{seed * writers + writer};
      for (;;) {
        auto command = correlated(add{.key = "k" + std::to_string(random() % keys),
                                      .amount = random() % 1000,
                                      .times = static_cast<std::uint32_t>(1 + random() % 3)});
        auto answer = commands.dispatch_and_wait<added>(command);
        if (answer.get_if<added>() == nullptr)
          continue;
        char line[80];
        auto size = std::snprintf(line, sizeof line, "%llx %llx %llu\n",
                                  static_cast<unsigned long long>(command.id.high),
                                  static_cast<unsigned long long>(command.id.low),
                                  static_cast<unsigned long long>(answer.position));
        std::lock_guard lock{output};
        if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(size)) != size)
          ::_exit(1);
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  return 0;
}

using acknowledgements = std::map<message_id, std::uint64_t>;

/// Reads acknowledgements until there are `enough`, or the process has ended.
void hear(child_process& node, std::size_t enough, acknowledgements& heard) {
  for (std::size_t lines = 0; lines < enough; ++lines) {
    auto line = node.read_line();
    if (!line)
      return;
    message_id id;
    std::uint64_t position = 0;
    std::istringstream words{*line};
    if (words >> std::hex >> id.high >> id.low >> std::dec >> position)
      heard.emplace(id, position);
  }
}

struct folded {
  std::vector<added> events;
  std::string problem;
};

folded read_all(const journal& j) {
  folded all;
  std::map<std::string, std::uint64_t> versions;
  std::map<std::string, std::uint64_t> totals;
  std::set<message_id> ids;
  std::set<message_id> commands;
  message_id command;
  auto problem_with = [&](const record_view& record) -> std::string {
    if (record.position != all.events.size() + 1)
      return "positions have a gap";
    if (record.stream_version != ++versions[std::string{record.stream}])
      return "the versions of a stream have a gap";
    if (!ids.insert(record.id).second)
      return "a message id is there twice";
    auto event = decode<added>(record.body);
    if (!event)
      return to_string(event.error());
    if (event->total != (totals[event->key] += event->amount))
      return "a total does not follow from the one before it";
    // The events of a command are there once, in a row, and all of them.
    bool is_first = event->number == 0;
    if (is_first && !all.events.empty() && all.events.back().number + 1 != all.events.back().times)
      return "a command before it is there by halves";
    if (is_first && !commands.insert(record.append).second)
      return "a command has run twice";
    if (!is_first && (record.append != command || event->number != all.events.back().number + 1))
      return "it does not belong to the command before it";
    command = record.append;
    all.events.push_back(std::move(*event));
    return {};
  };
  auto read = j.read(
      1, {.events = ~std::uint64_t{0}, .bytes = ~std::uint64_t{0}}, [&](const record_view& record) {
        all.problem = problem_with(record);
        if (!all.problem.empty())
          all.problem = "event " + std::to_string(record.position) + ": " + all.problem;
        return all.problem.empty();
      });
  if (!read)
    all.problem = to_string(read.error());
  else if (all.problem.empty() && !all.events.empty() &&
           all.events.back().number + 1 != all.events.back().times)
    all.problem = "the last command is there by halves";
  else if (all.problem.empty() && all.events.size() != j.last_position())
    all.problem = "not all events can be read";
  for (const auto& [stream, version] : versions) {
    auto found = j.stream_version(stream);
    if (all.problem.empty() && (!found || *found != version))
      all.problem = "the index has another version of " + stream;
  }
  return all;
}

std::string problem_with_rows(const fs::path& data, const journal& j,
                              const std::vector<added>& events) {
  auto store = projection_store::open(tally_projection(), {.directory = data}, j);
  if (!store)
    return to_string(store.error());
  for (;;) {
    auto checkpoint = (*store)->checkpoint();
    std::map<std::string, tally_row> expected;
    for (std::uint64_t i = 0; i < checkpoint; ++i) {
      ++expected[events[i].key].events;
      expected[events[i].key].total += events[i].amount;
    }
    std::map<std::string, tally_row> rows;
    (*store)->read([&](const read_transaction& t) {
      tallies.for_each(
          t, [&](const std::string& key, const tally_row& row) { rows.emplace(key, row); });
    });
    if (rows != expected)
      return "the projection is no fold of the journal up to event " + std::to_string(checkpoint);
    if (checkpoint == j.last_position())
      return {};
    if (auto progress = (*store)->catch_up(j); !progress)
      return to_string(progress.error());
  }
}

/// What is wrong with the directory after its node was killed; empty where nothing is.
std::string problem_with(const fs::path& data, const acknowledgements& heard,
                         std::uint64_t& last_position) {
  auto opened = journal::open({.directory = data, .merge_in_background = false});
  if (!opened)
    return to_string(opened.error());
  const auto& j = **opened;
  last_position = j.last_position();
  auto all = read_all(j);
  if (!all.problem.empty())
    return all.problem;
  for (const auto& [id, position] : heard) {
    auto found = j.append_of(id);
    if (!found || !*found)
      return "command " + to_string(id) + " was acknowledged and is not there";
    if ((*found)->first != position)
      return "command " + to_string(id) + " was acknowledged at another position";
  }
  return problem_with_rows(data, j, all.events);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view{argv[1]} == "node")
    return run_node(argv[2], std::strtoull(argv[3], nullptr, 10));
  driver_options options{argc,
                         argv,
                         "Kills a node at random instants, and looks at what it leaves.",
                         {{"seed", 1, "of everything that is random"},
                          {"rounds", 25, "a node is started and killed in each"},
                          {"acks", 300, "the most that are waited for before the kill"}}};
  scratch_directory scratch;
  std::mt19937_64 random{options["seed"]};
  acknowledgements heard;
  std::uint64_t all_heard = 0;
  std::uint64_t journals = 1;
  for (std::uint64_t round = 0; round < options["rounds"]; ++round) {
    auto data = scratch.path() / ("data" + std::to_string(journals));
    auto known = heard.size();
    {
      child_process node{"/proc/self/exe", {"node", data.string(), std::to_string(random())}};
      // Every fourth one is killed while it starts.
      bool while_starting = random() % 4 == 0;
      if (!while_starting)
        hear(node, 1 + random() % options["acks"], heard);
      std::this_thread::sleep_for(
          std::chrono::microseconds{random() % (while_starting ? 30'000 : 2'000)});
      node.signal(SIGKILL);
      hear(node, static_cast<std::size_t>(-1), heard);
      auto end = node.wait();
      if (end.signal != SIGKILL) {
        std::printf("round %llu: the node ended by itself: %s\n",
                    static_cast<unsigned long long>(round), end.err.c_str());
        return 1;
      }
    }
    all_heard += heard.size() - known;
    std::uint64_t last_position = 0;
    if (auto problem = problem_with(data, heard, last_position); !problem.empty()) {
      std::printf("round %llu of seed %llu: %s\n", static_cast<unsigned long long>(round),
                  static_cast<unsigned long long>(options["seed"]), problem.c_str());
      return 1;
    }
    if (last_position >= enough_events) {
      heard.clear();
      ++journals;
    }
  }
  std::printf("%llu rounds, %llu journals, %llu commands acknowledged: each is there once\n",
              static_cast<unsigned long long>(options["rounds"]),
              static_cast<unsigned long long>(journals),
              static_cast<unsigned long long>(all_heard));
  return 0;
}
