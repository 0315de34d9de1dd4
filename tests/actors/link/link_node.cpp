// link-node NAME LISTEN SECRET_FILE SILENCE_MS [PEER=ADDRESS...]: links alone, for tests that need
// processes. Says numbered messages to every peer for as long as it runs and checks what it hears;
// tells what happens, a line each.

#include <microlith/actors/internal/link/broker_links.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace {

using namespace microlith;
using namespace microlith::internal;

/// So that a test sees progress without being flooded.
constexpr std::uint64_t tell_every = 100;

class teller final : public link_events {
 public:
  void joined(const std::string& peer, message_id) override {
    std::lock_guard lock{mutex};
    next_said[peer] = 0;
    next_heard[peer] = 0;
    tell("joined " + peer);
  }
  void arrived(const std::string& peer, std::span<const std::byte> message) override {
    std::uint64_t number = 0;
    std::memcpy(&number, message.data(), std::min(message.size(), sizeof number));
    std::lock_guard lock{mutex};
    auto& next = next_heard[peer];
    if (number != next)
      tell("wrong " + peer + " " + std::to_string(number) + " instead of " + std::to_string(next));
    next = number + 1;
    if (next % tell_every == 0)
      tell("heard " + peer);
  }
  void interrupted(const std::string& peer, const std::string&) override {
    tell("interrupted " + peer);
  }
  void resumed(const std::string& peer) override { tell("resumed " + peer); }
  void lost(const std::string& peer, const std::string&) override {
    std::lock_guard lock{mutex};
    next_said.erase(peer);
    tell("lost " + peer);
  }

  static void tell(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  std::mutex mutex;
  std::map<std::string, std::uint64_t> next_said;  // of peers that are joined
  std::map<std::string, std::uint64_t> next_heard;
};

struct configuration : caf::actor_system_config {
  configuration() {
    load<caf::io::middleman>();
    set("scheduler.max-threads", std::size_t{1});
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5)
    return 2;
  link_options options;
  options.name = argv[1];
  options.listen = argv[2];
  options.secret_file = argv[3];
  options.silence_limit = std::chrono::milliseconds{std::atoi(argv[4])};
  options.resume_window = std::chrono::hours{1};
  options.insecure = true;
  for (int i = 5; i < argc; ++i) {
    std::string peer = argv[i];
    auto equals = peer.find('=');
    options.peers.push_back({peer.substr(0, equals), peer.substr(equals + 1)});
  }
  configuration config;
  caf::actor_system system{config};
  teller events;
  auto made = make_broker_links(system, options);
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().text.c_str());
    return 1;
  }
  auto links = *std::move(made);
  teller::tell("listening " + links->listening_at());
  links->start(events);
  while (true) {
    {
      // One at a time with `joined`, so that numbers begin anew with it. A link takes messages a
      // moment earlier already: they would be said twice.
      std::lock_guard lock{events.mutex};
      for (auto& [peer, next] : events.next_said) {
        std::byte message[200]{};
        std::memcpy(message, &next, sizeof next);
        next += links->send(peer, message) == sent::taken ? 1U : 0U;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}
