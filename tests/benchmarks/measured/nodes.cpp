// Two processes over loopback: a question and its answer (`ask`), or events of 200 bytes from one
// to one or several subscribers in the other (`fan_out`). Two nodes of a cluster, or CAF's remote
// actors.

#include "../journal_samples.hpp"
#include "../samples.hpp"
#include "../two_processes.hpp"

#include <microlith/actors/node.hpp>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include <sstream>

namespace {

using namespace bench;
using namespace std::chrono_literals;

constexpr std::size_t text_bytes = 180;

std::vector<microlith::component> components() {
  microlith::component asking{"bench.asking"};
  asking.publishes<item_added_event>();
  microlith::component answering{"bench.answering"};
  answering.answers<samples::ping>([](const samples::ping& q) { return samples::pong{q.number}; });
  return {asking, answering};
}

int free_port() {
  int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(probe, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    give_up("find a free port", std::strerror(errno));
  ::close(probe);
  return ntohs(address.sin_port);
}

microlith::node start(const std::string& name, const std::filesystem::path& directory) {
  auto started = microlith::node::start(
      {.data = directory / name,
       .threads = 2,
       .cluster = microlith::cluster_options{.file = directory / "cluster.toml", .node = name}},
      components());
  if (!started)
    give_up("start node " + name, started.error().text);
  return std::move(*started);
}

void with_nodes(const arguments& from) {
  std::filesystem::path directory = from.text("directory");
  std::ofstream{directory / "cluster.toml"}
      << "[nodes.a]\nlisten = '127.0.0.1:" << free_port()
      << "'\nhosts = ['journal', 'bench.asking']\n[nodes.b]\nlisten = '127.0.0.1:" << free_port()
      << "'\nhosts = ['bench.answering']\n";
  second_process other{
      from, [&](shared_page& page) {
        auto b = start("b", directory);
        std::vector<microlith::subscription> listening;
        for (std::uint64_t i = 0; i < page.subscribers; ++i)
          listening.push_back(b.events().subscribe<item_added_event>(
              [&page](const item_added_event&) { page.receive(); }, {.max_pending = 1'000'000}));
        page.set_ready();
        for (;;)
          ::pause();
      }};
  other.wait_until_ready();
  auto a = start("a", directory);
  for (auto limit = steady::now() + 20s;; std::this_thread::sleep_for(1ms)) {
    auto others = a.cluster().others;
    // Its component begins, and its subscription is told, each in its own time.
    if (!others.empty() && others[0].there && !others[0].wants.empty() && !others[0].serves.empty())
      break;
    if (steady::now() > limit)
      give_up("join", others.empty() ? "no other node" : others[0].why);
  }
  if (from.text("what") == "fan_out") {
    auto events = a.events();
    const std::string text(text_bytes, 'x');
    fan_out(
        from, *other.page, "each commit, fdatasync, before it leaves the node",
        [&](std::uint64_t number) {
          if (!events.dispatch(item_added_event{number, text}))
            give_up("dispatch", "it was refused");
        },
        [] {});
  } else {
    auto queries = a.queries();
    shared_load* current = nullptr;
    shared_load work{plan{from}, [&](std::uint64_t number, steady::time_point due) {
                       queries.ask(samples::ping{number}, {.limit = 30s},
                                   [&, due](const microlith::answer<samples::pong>& answer) {
                                     if (const auto* why = answer.get_if<microlith::failure>())
                                       give_up("ask", to_string(*why));
                                     current->ended(due);
                                   });
                     }};
    current = &work;
    work.run();
    work.print(from, "nothing is stored");
  }
  std::fflush(stdout);
  a.stop();
}

struct configuration : caf::actor_system_config {
  configuration() {
    load<caf::io::middleman>();
    set("scheduler.max-threads", std::size_t{2});
    set("scheduler.policy", caf::atom("sharing"));
  }
};

void with_caf(const arguments& from) {
  second_process other{from, [](shared_page& page) {
                         configuration config;
                         caf::actor_system system{config};
                         std::string ports;
                         for (std::uint64_t i = 0; i < page.subscribers; ++i) {
                           auto serves = system.spawn([&page]() -> caf::behavior {
                             return {[](std::uint64_t number) { return number; },
                                     [&page](const std::string&) { page.receive(); }};
                           });
                           auto port = system.middleman().publish(serves, 0, "127.0.0.1");
                           if (!port)
                             give_up("publish", "no port");
                           ports += std::to_string(*port) + ' ';
                         }
                         std::snprintf(page.address, sizeof page.address, "%s", ports.c_str());
                         page.set_ready();
                         for (;;)
                           ::pause();
                       }};
  other.wait_until_ready();
  configuration config;
  caf::actor_system system{config};
  std::vector<caf::actor> remotes;
  std::istringstream ports{other.page->address};
  for (std::uint16_t port = 0; ports >> port;) {
    auto remote = system.middleman().remote_actor("127.0.0.1", port);
    if (!remote)
      give_up("connect", "no remote actor");
    remotes.push_back(std::move(*remote));
  }
  if (from.text("what") == "fan_out") {
    const std::string text(record_bytes, 'x');
    fan_out(
        from, *other.page, "nothing is stored",
        [&](std::uint64_t) {
          for (const auto& each : remotes)
            caf::anon_send(each, text);
        },
        [] {});
  } else {
    shared_load* current = nullptr;
    auto to = remotes.front();
    auto client = system.spawn([&current, to](caf::event_based_actor* self) -> caf::behavior {
      return {[&current, to, self](std::uint64_t number, std::int64_t due_ns) {
        self->request(to, caf::infinite, number).then([&current, due_ns](std::uint64_t) {
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
  }
  std::fflush(stdout);
  std::_Exit(0);  // remote actors would keep the system waiting; the child ends with its parent
}

}  // namespace

int main(int argc, char** argv) {
  arguments from{argc, argv};
  auto subject = from.text("subject");
  if (subject == "microlith")
    with_nodes(from);
  else if (subject == "caf")
    with_caf(from);
  else
    give_up("nodes", "--subject is microlith or caf");
}
