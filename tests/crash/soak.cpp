// A soak: three auth-node processes under load, of which one or another is killed with SIGKILL or
// frozen, and whose links are broken, or hold back what goes one way or both, at random, while
// components move between them. Afterwards all is made well, and then components move at once,
// every registration that was acknowledged is there once and can sign in, no command has run twice,
// positions and versions have no gap, every request has ended, and no node still answers for
// anything.
//
// Exit code 0: all was fine. 1: something was not; it is printed.

#include "crash/driver.hpp"
#include "crash/soak_client.hpp"
#include "crash/soak_cluster.hpp"

#include <microlith/persistence/journal_reader.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace microlith;
using namespace microlith::test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// How long nodes may take to answer for nothing any more.
constexpr auto quiet_limit = 60s;

enum class trouble { kill, freeze, cut, hold_one_way, hold };
constexpr std::size_t troubles = 5;

/// Begins at a time, and ends at another.
struct incident {
  std::uint64_t at_ms = 0;
  std::uint64_t until_ms = 0;
  trouble what = trouble::kill;
  std::size_t where = 0;  ///< a node or a pair
  link_proxy::direction way = link_proxy::to_listener;
};

/// What happens to whom and when follows from the seed alone. A node or pair has one trouble at a
/// time; several may have one.
std::vector<incident> plan(std::uint64_t seed, std::uint64_t length_ms) {
  std::mt19937_64 random{seed};
  std::vector<incident> all;
  std::uint64_t busy_until[2][soak_cluster::size]{};
  for (std::uint64_t now = 1'000; now < length_ms; now += 100 + random() % 1'100) {
    incident next{.at_ms = now,
                  .what = static_cast<trouble>(random() % troubles),
                  .where = random() % soak_cluster::size,
                  .way = static_cast<link_proxy::direction>(random() % 2)};
    // Over before it is noticed, or noticed, or long enough for the peers to give up.
    constexpr std::uint64_t longest_ms[]{200, 1'500, 4'000};
    next.until_ms = now + random() % longest_ms[random() % 3];
    if (next.what == trouble::cut)
      next.until_ms = now;
    bool is_node = next.what == trouble::kill || next.what == trouble::freeze;
    auto& busy = busy_until[is_node ? 0 : 1][next.where];
    if (now < busy)
      continue;
    // Some time to get to know each other.
    busy = next.until_ms + 300;
    all.push_back(next);
  }
  return all;
}

/// Makes an incident begin or end; what went wrong.
std::string apply(soak_cluster& cluster, const incident& of, bool begins) {
  auto hold = [&](link_proxy::direction way) { cluster.hold(of.where, way, begins); };
  switch (of.what) {
    case trouble::kill:
      return begins ? cluster.kill(of.where) : cluster.start(of.where);
    case trouble::freeze:
      begins ? cluster.freeze(of.where) : cluster.thaw(of.where);
      break;
    case trouble::cut:
      if (begins)
        cluster.cut(of.where);
      break;
    case trouble::hold_one_way:
      hold(of.way);
      break;
    case trouble::hold:
      hold(link_proxy::to_listener);
      hold(link_proxy::to_dialler);
      break;
  }
  return {};
}

std::string make_trouble(soak_cluster& cluster, const std::vector<incident>& incidents,
                         steady::time_point end, const std::atomic<bool>& given_up) {
  std::multimap<std::uint64_t, std::pair<const incident*, bool>> steps;
  for (const auto& each : incidents) {
    steps.emplace(each.at_ms, std::pair{&each, true});
    steps.emplace(each.until_ms, std::pair{&each, false});
  }
  auto start = steady::now();
  for (const auto& [at_ms, step] : steps) {
    std::this_thread::sleep_until(start + std::chrono::milliseconds{at_ms});
    if (auto problem = apply(cluster, *step.first, step.second); !problem.empty())
      return problem;
    if (given_up)
      return {};
  }
  std::this_thread::sleep_until(end);
  return {};
}

constexpr std::array<const char*, 2> movable{"auth.commands", "auth.queries"};

/// Moves components until it is over. In trouble a move may be refused or given up.
void move_about(const soak_cluster& cluster, std::uint64_t seed, const std::atomic<bool>& is_over,
                std::atomic<std::uint64_t>& moved) {
  std::mt19937_64 random{seed};
  while (!is_over) {
    auto component = movable[random() % movable.size()];
    if (cluster.move(component, random() % soak_cluster::size).empty())
      ++moved;
    for (auto pause = random() % 10; pause > 0 && !is_over; --pause)
      std::this_thread::sleep_for(100ms);
  }
}

/// When all is well again there is nothing that keeps a component.
std::string problem_with_moving(const soak_cluster& cluster) {
  auto until = steady::now() + quiet_limit;
  for (const char* component : movable) {
    for (std::size_t to = 0; to < soak_cluster::size; ++to) {
      for (;;) {
        auto why = cluster.move(component, to);
        if (why.empty())
          break;
        if (steady::now() > until)
          return std::string{component} + " does not move to node " + soak_cluster::names[to] +
                 ": " + why;
      }
    }
  }
  return {};
}

/// The sum of what a node answers for, by its metrics.
std::uint64_t in_flight(const std::string& metrics) {
  constexpr std::string_view name = "\nmicrolith_in_flight{";
  std::uint64_t sum = 0;
  for (auto at = metrics.find(name); at != std::string::npos; at = metrics.find(name, at + 1)) {
    auto value = metrics.find(' ', metrics.find('}', at));
    sum += static_cast<std::uint64_t>(std::stod(metrics.substr(value + 1)));
  }
  return sum;
}

/// Nodes answer for nothing when all requests have ended.
std::string problem_with_rest(soak_cluster& cluster) {
  auto until = steady::now() + quiet_limit;
  for (std::size_t node = 0; node < soak_cluster::size; ++node) {
    for (;;) {
      auto metrics = http_client{cluster.port(node)}.call("GET", "/metrics").body;
      if (metrics.find("microlith_in_flight{") == std::string::npos)
        return std::string{"no metrics of node "} + soak_cluster::names[node];
      auto left = in_flight(metrics);
      if (left == 0)
        break;
      if (steady::now() > until)
        return std::string{"node "} + soak_cluster::names[node] + " still answers for " +
               std::to_string(left) + " messages";
      std::this_thread::sleep_for(20ms);
    }
  }
  return {};
}

/// What the clients were told, and what the journal holds.
std::string problem_with_journal(const std::filesystem::path& data,
                                 const std::vector<soak_client>& clients) {
  auto verified =
      child_process{MICROLITH_TOOL, {"journal", "verify", "--data", data.string()}}.wait();
  if (verified.code != 0)
    return "journal verify: " + verified.out + verified.err;
  auto journal = journal_reader::open(data);
  if (!journal)
    return to_string(journal.error());
  std::string problem;
  std::uint64_t position = 0;
  std::map<std::string, std::uint64_t> versions;
  std::map<std::string, std::map<std::string, std::uint64_t>> by_stream;
  std::set<message_id> ids;
  std::set<message_id> appends;
  message_id append;
  auto read = (*journal)->read(
      1, {.events = ~std::uint64_t{0}, .bytes = ~std::uint64_t{0}}, [&](const record_view& record) {
        std::string stream{record.stream};
        if (record.position != ++position)
          problem = "positions have a gap";
        else if (record.stream_version != ++versions[stream])
          problem = "the versions of " + stream + " have a gap";
        else if (!ids.insert(record.id).second)
          problem = "a message id is there twice";
        else if (record.append != append && !appends.insert(record.append).second)
          problem = "a command has run twice, on " + stream;
        append = record.append;
        auto count = ++by_stream[stream][record.type->name];
        bool is_once = record.type->name == "auth.user_registered_event" ||
                       record.type->name == "auth.idempotency_key_claimed_event" ||
                       stream.starts_with("auth.session/");
        if (problem.empty() && is_once && count != 1 &&
            record.type->name != "auth.user_session_extended_event")
          problem = stream + " has " + std::to_string(count) + " of " + record.type->name;
        if (!problem.empty())
          problem = "event " + std::to_string(record.position) + ": " + problem;
        return problem.empty();
      });
  if (!read)
    return to_string(read.error());
  if (problem.empty() && position != (*journal)->last_position())
    return "not all events can be read";
  for (const auto& client : clients) {
    for (const auto& user : client.users()) {
      const auto& events = by_stream["auth.user/" + user.email];
      auto registered = events.find("auth.user_registered_event");
      if (problem.empty() && user.is_acknowledged && registered == events.end())
        problem = "the registration of " + user.email + " was acknowledged and is not there";
    }
  }
  return problem;
}

std::string run(const driver_options& options, const std::filesystem::path& directory,
                std::vector<soak_client>& clients, std::vector<incident>& incidents,
                std::atomic<std::uint64_t>& moved) {
  soak_cluster cluster{directory, options["tls"] != 0};
  for (std::size_t node = 0; node < soak_cluster::size; ++node) {
    if (auto problem = cluster.start(node); !problem.empty())
      return problem;
  }
  incidents = plan(options["seed"], options["seconds"] * 1'000);
  auto end = steady::now() + std::chrono::seconds{options["seconds"]};
  for (unsigned number = 0; number < options["clients"]; ++number)
    clients.emplace_back(cluster.port(soak_cluster::gateway_node), number, options["seed"]);
  std::atomic<bool> given_up{false};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (auto& client : clients) {
    threads.emplace_back([&] {
      while (!is_over && client.problem().empty())
        client.act();
      if (!client.problem().empty())
        given_up = true;
    });
  }
  auto together = [&] {
    for (auto& thread : threads)
      thread.join();
    threads.clear();
    for (const auto& client : clients) {
      if (!client.problem().empty())
        return client.problem();
    }
    return std::string{};
  };
  threads.emplace_back([&] { move_about(cluster, options["seed"], is_over, moved); });
  auto problem = make_trouble(cluster, incidents, end, given_up);
  is_over = true;
  if (auto told = together(); problem.empty())
    problem = told;
  if (!problem.empty())
    return problem;
  for (auto& client : clients)
    threads.emplace_back([&] { client.settle(); });
  if (problem = together(); !problem.empty())
    return problem + "\n" + cluster.status();
  if (problem = problem_with_moving(cluster); !problem.empty())
    return problem;
  if (problem = problem_with_rest(cluster); !problem.empty())
    return problem;
  for (std::size_t node = soak_cluster::size; node-- > 0;) {
    if (problem = cluster.stop(node); !problem.empty())
      return problem;
  }
  return problem_with_journal(cluster.data(soak_cluster::journal_node), clients);
}

}  // namespace

int main(int argc, char** argv) {
  driver_options options{argc,
                         argv,
                         "Kills, freezes and cuts off nodes of a cluster under load.",
                         {{"seed", 1, "of everything that is random"},
                          {"seconds", 15, "how long"},
                          {"clients", 4, "that send requests"},
                          {"tls", 0, "links with certificates", true},
                          {"plan", 0, "print what happens, and end", true}}};
  constexpr std::array<const char*, troubles> names{"kills", "freezes", "cuts", "one way held",
                                                    "both ways held"};
  if (options["plan"] != 0) {
    for (const auto& each : plan(options["seed"], options["seconds"] * 1'000))
      std::printf("%6llu-%-6llu %s %zu\n", static_cast<unsigned long long>(each.at_ms),
                  static_cast<unsigned long long>(each.until_ms),
                  names[static_cast<std::size_t>(each.what)], each.where);
    return 0;
  }
  scratch_directory scratch;
  std::vector<soak_client> clients;
  clients.reserve(options["clients"]);
  std::vector<incident> incidents;
  std::atomic<std::uint64_t> moved{0};
  auto problem = run(options, scratch.path(), clients, incidents, moved);
  std::array<std::uint64_t, troubles> happened{};
  for (const auto& each : incidents)
    ++happened[static_cast<std::size_t>(each.what)];
  soak_counts counts;
  std::uint64_t registered = 0;
  for (const auto& client : clients) {
    counts.requests += client.counts().requests;
    counts.answered += client.counts().answered;
    registered += static_cast<std::uint64_t>(
        std::count_if(client.users().begin(), client.users().end(),
                      [](const soak_user& user) { return user.is_acknowledged; }));
  }
  if (problem.empty() && registered == 0)
    problem = "nothing was acknowledged";
  std::printf("seed %llu:", static_cast<unsigned long long>(options["seed"]));
  for (std::size_t i = 0; i < troubles; ++i)
    std::printf(" %llu %s,", static_cast<unsigned long long>(happened[i]), names[i]);
  std::printf(" %llu moves, %llu requests, %llu answered, %llu registrations acknowledged\n",
              static_cast<unsigned long long>(moved.load()),
              static_cast<unsigned long long>(counts.requests),
              static_cast<unsigned long long>(counts.answered),
              static_cast<unsigned long long>(registered));
  if (problem.empty()) {
    std::printf("each is there once\n");
    return 0;
  }
  std::printf("%s\n", problem.c_str());
  return 1;
}
