// A question and its correlated answer in one process: `ask`, or a request in bare CAF with one
// actor in between.

#include "../load.hpp"
#include "../samples.hpp"

#include <microlith/actors/node.hpp>

#include <caf/all.hpp>

namespace {

using namespace bench;
using namespace std::chrono_literals;

void ask(const arguments& from) {
  microlith::component pinging{"bench.ping"};
  pinging.answers<samples::ping>([](const samples::ping& q) { return samples::pong{q.number}; });
  auto node = microlith::node::start({.threads = 2}, {pinging});
  if (!node)
    give_up("start a node", node.error().text);
  auto queries = node->queries();
  shared_load* current = nullptr;
  shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                     queries.ask(samples::ping{number}, {.limit = 30s},
                                 [&, number, due](const microlith::answer<samples::pong>& answer) {
                                   const auto* got = answer.get_if<samples::pong>();
                                   if (!got || got->number != number)
                                     give_up("ask", "no answer, or not the one asked for");
                                   current->ended(due);
                                 });
                   }};
  current = &work;
  work.run();
  work.print(from, "nothing is stored");
  node->stop();
}

void request(const arguments& from) {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system{config};
  auto serves =
      system.spawn([]() -> caf::behavior { return {[](std::uint64_t number) { return number; }}; });
  auto bus = system.spawn([serves](caf::event_based_actor* self) -> caf::behavior {
    return {[self, serves](std::uint64_t number) { return self->delegate(serves, number); }};
  });
  shared_load* current = nullptr;
  auto client = system.spawn([&current, bus](caf::event_based_actor* self) -> caf::behavior {
    return {[&current, bus, self](std::uint64_t number, std::int64_t due_ns) {
      self->request(bus, caf::infinite, number).then([&current, number, due_ns](std::uint64_t got) {
        if (got != number)
          give_up("request", "not the answer asked for");
        current->ended(steady::time_point{std::chrono::nanoseconds{due_ns}});
      });
    }};
  });
  shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                     caf::anon_send(client, number,
                                    static_cast<std::int64_t>(due.time_since_epoch().count()));
                   }};
  current = &work;
  work.run();
  work.print(from, "nothing is stored");
  for (const auto& actor : {client, bus, serves})
    caf::anon_send_exit(actor, caf::exit_reason::kill);
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  auto subject = from.text("subject");
  if (subject == "ask")
    ask(from);
  else if (subject == "caf")
    request(from);
  else
    give_up("request", "--subject is ask or caf");
}
