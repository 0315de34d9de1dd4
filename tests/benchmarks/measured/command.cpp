// A command, its durable event, the reply: a function handler, a decider, or the same hops in bare
// CAF and LMDB, nothing checked, indexed or kept.

#include "../bare.hpp"
#include "../load.hpp"
#include "../samples.hpp"

#include <microlith/actors/node.hpp>

namespace {

using namespace bench;
using namespace std::chrono_literals;

constexpr auto sync_mode = "each commit, fdatasync; commands on their way share one";

void through_node(const arguments& from, microlith::component users) {
  auto node = microlith::node::start({.data = from.text("directory"), .threads = 2}, {users});
  if (!node)
    give_up("start a node", node.error().text);
  auto commands = node->commands();
  auto first = from.count("first", 0);
  shared_load* current = nullptr;
  shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                     commands.dispatch_and_wait<samples::registered>(
                         samples::make_command(first + number), 30s,
                         [&, due](const microlith::answer<samples::registered>& answer) {
                           if (answer.failed())
                             give_up("command", "it failed");
                           current->ended(due);
                         });
                   }};
  current = &work;
  work.run();
  work.print(from, sync_mode);
  node->stop();
}

void handler(const arguments& from) {
  microlith::component users{"bench.users"};
  users.serves<samples::register_user>(
      [](const samples::register_user& c, microlith::context& ctx) {
        ctx.dispatch(samples::registered{c.email, c.password_hash, c.role});
      });
  users.publishes<samples::registered>();
  through_node(from, std::move(users));
}

void decider(const arguments& from) {
  microlith::component users{"bench.users"};
  users.handles<samples::account, samples::register_user>();
  through_node(from, std::move(users));
}

struct bare_client_state {
  std::unordered_map<std::uint64_t, steady::time_point> waiting;
};

caf::behavior bare_client(caf::stateful_actor<bare_client_state>* self, caf::actor commands,
                          shared_load** current) {
  return {
      [=](std::uint64_t number, std::int64_t due_ns) {
        auto message = samples::make_command(number);
        bare::envelope e;
        e.id.correlation[0] = number;
        e.type = "auth.register_command";
        e.body = std::make_shared<bare::registration>(bare::registration{
            std::move(message.email), std::move(message.password_hash), message.role});
        self->state.waiting.emplace(number, steady::time_point{std::chrono::nanoseconds{due_ns}});
        self->send(commands, std::move(e));
      },
      [=](const bare::envelope& event) {
        auto found = self->state.waiting.find(event.id.correlation[0]);
        auto due = found->second;
        self->state.waiting.erase(found);
        (*current)->ended(due);
      },
  };
}

void bare_pipeline(const arguments& from) {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 2);
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system{config};
  bare::journal store{from.text("directory")};
  auto events = system.spawn(bare::event_bus, &store);
  auto handler = system.spawn(bare::handler, events);
  auto commands = system.spawn(bare::command_bus, handler);
  shared_load* current = nullptr;
  auto client = system.spawn(bare_client, commands, &current);
  caf::anon_send(events, client);
  shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                     caf::anon_send(client, number,
                                    static_cast<std::int64_t>(due.time_since_epoch().count()));
                   }};
  current = &work;
  work.run();
  work.print(from, sync_mode);
  for (const auto& actor : {client, commands, handler, events})
    caf::anon_send_exit(actor, caf::exit_reason::kill);
  system.await_all_actors_done();
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  auto subject = from.text("subject");
  if (subject == "handler")
    handler(from);
  else if (subject == "decider")
    decider(from);
  else if (subject == "bare")
    bare_pipeline(from);
  else
    give_up("command", "--subject is handler, decider or bare");
}
