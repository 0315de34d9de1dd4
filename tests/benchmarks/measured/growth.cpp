// What commands and loads cost on a journal of --events: it is grown by registrations, nine of ten
// to streams that are there, then commands go through a node, then streams of 100 events are loaded
// that lie evenly over the whole journal.

#include "../journal_samples.hpp"
#include "../load.hpp"
#include "../samples.hpp"

#include <microlith/actors/node.hpp>

#include <random>

namespace {

using namespace bench;
using namespace std::chrono_literals;

constexpr std::uint64_t loaded_streams = 32;
constexpr std::uint64_t loaded_events = 100;
constexpr std::size_t loads = 1'000;
constexpr std::uint64_t commands_in_flight = 1'024;
// Registrations in the measured part must not meet those that the journal was grown with.
constexpr std::uint64_t first_measured = 1'000'000'000;

std::string stream_of_user(std::uint64_t number) {
  return std::string{samples::account::stream} + "/user" + std::to_string(number) + "@example.org";
}

std::string loaded_stream(std::uint64_t number) {
  return "bench.loaded/" + std::to_string(number);
}

microlith::append_request registration(std::uint64_t user, std::string stream) {
  using namespace microlith;
  append_request request{.id = message_id::make()};
  envelope_head head{.id = message_id::make(),
                     .correlation = {request.id.high, request.id.low},
                     .causation = request.id,
                     .root = request.id,
                     .facts = {}};
  auto c = samples::make_command(user);
  samples::registered event{std::move(c.email), std::move(c.password_hash), c.role};
  request.events.push_back({envelope{std::move(head), std::move(event)}, std::move(stream)});
  return request;
}

void grow(microlith::journal& to, std::uint64_t events) {
  std::mt19937_64 random{42};
  std::uint64_t users = 0;
  auto spacing = std::max<std::uint64_t>(events / loaded_events, loaded_streams);
  for (std::uint64_t position = 0; position < events;) {
    std::vector<microlith::append_request> batch;
    while (batch.size() < 10'000 && position < events) {
      auto within = position++ % spacing;
      bool is_new = users == 0 || random() % 10 == 0;
      auto user = is_new ? ++users : 1 + random() % users;
      batch.push_back(within < loaded_streams ? registration(user, loaded_stream(within))
                                              : registration(user, stream_of_user(user)));
    }
    (void)append(to, std::move(batch));
  }
}

struct load_times {
  double p50_us = 0;
  double p99_us = 0;
};

load_times measure_loads(const microlith::journal& from) {
  std::vector<double> times;
  for (std::size_t i = 0; i < loads; ++i) {
    std::uint64_t seen = 0;
    auto start = steady::now();
    auto page = from.read_stream(loaded_stream(i % loaded_streams), 1, {.events = 1'000},
                                 [&](const microlith::record_view&) {
                                   ++seen;
                                   return true;
                                 });
    times.push_back(seconds_since(start));
    if (!page || seen < loaded_events)
      fail("load a stream", page ? "it has " + std::to_string(seen) : page.error().text);
  }
  std::sort(times.begin(), times.end());
  return {at_share_us(times, 0.5), at_share_us(times, 0.99)};
}

double commands_per_second(const std::filesystem::path& data, double seconds) {
  microlith::component users{"bench.users"};
  users.handles<samples::account, samples::register_user>();
  auto node = microlith::node::start({.data = data, .threads = 2}, {users});
  if (!node)
    fail("start a node", node.error().text);
  auto commands = node->commands();
  plan p{commands_in_flight, 0, seconds};
  shared_load* current = nullptr;
  shared_load work{p, [&](std::uint64_t number, steady::time_point due) {
                     commands.dispatch_and_wait<samples::registered>(
                         samples::make_command(first_measured + number), 30s,
                         [&, due](const microlith::answer<samples::registered>& answer) {
                           if (answer.failed())
                             fail("command", "it failed");
                           current->ended(due);
                         });
                   }};
  current = &work;
  work.run();
  node->stop();
  return work.per_second();
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  std::filesystem::path directory = from.text("directory");
  auto events = from.count("events", 10'000);
  auto journal = open(directory);
  grow(*journal, events);
  auto times = measure_loads(*journal);
  auto memory = memory_bytes();
  journal.reset();
  auto start = steady::now();
  journal = open(directory);
  auto open_ms = seconds_since(start) * 1e3;
  journal.reset();
  auto rate = commands_per_second(directory, from.number("seconds", 1));
  std::printf(
      "{\"scenario\": \"growth\", \"per_second\": %.0f, \"load_p50_us\": %.1f, \"load_p99_us\": "
      "%.1f, \"memory_mb\": %.1f, \"open_ms\": %.1f, \"sync\": \"each commit, fdatasync\"}\n",
      rate, times.p50_us, times.p99_us, static_cast<double>(memory) / 1e6, open_ms);
}
