#include <microlith/actors/internal/link/broker_links.hpp>
#include <microlith/actors/internal/link/link_broker.hpp>
#include <microlith/actors/internal/link/secret_file.hpp>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace microlith::internal {

namespace {

class links_of_a_broker final : public broker_links {
 public:
  links_of_a_broker(caf::actor_system& system, link_options options, secret<std::string> key,
                    std::shared_ptr<const tls_context> tls, int listening)
      : system_{system}, listening_at_{listening < 0 ? std::string{} : local_address(listening)} {
    std::vector<std::shared_ptr<outbox>> boxes;
    for (const auto& peer : options.peers) {
      boxes.push_back(std::make_shared<outbox>(peer.name, peer.address, options.max_kept_bytes));
      boxes_[peer.name] = boxes.back();
    }
    state_ = std::make_shared<link_broker>(std::move(options), std::move(key), std::move(tls),
                                           std::move(boxes), listening);
  }

  ~links_of_a_broker() override { stop(); }

  void start(link_events& to) override {
    if (broker_)
      return;
    broker_ = system_.middleman().spawn_broker(
        [state = state_, events = &to](caf::io::broker* self) -> caf::behavior {
          return state->run(self, *events);
        });
  }

  [[nodiscard]] sent send(const std::string& peer, std::span<const std::byte> message) override {
    auto found = boxes_.find(peer);
    return found == boxes_.end() ? sent::unreachable : woken(found->second->put(message));
  }

  [[nodiscard]] std::vector<link_status> status() const override {
    std::vector<link_status> all;
    for (const auto& [name, box] : boxes_)
      all.push_back(box->status());
    return all;
  }

  [[nodiscard]] std::string listening_at() const override { return listening_at_; }

  void stop() override {
    if (!broker_ || std::exchange(stopped_, true))
      return;
    caf::anon_send(broker_, link_stop_atom::value);
    state_->wait_for_end();
    for (auto& [name, box] : boxes_)
      box->shut();
  }

 private:
  sent woken(outbox::put_result put) {
    if (put.wake)
      caf::anon_send(broker_, link_flush_atom::value);
    return put.outcome;
  }

  caf::actor_system& system_;
  const std::string listening_at_;
  std::map<std::string, std::shared_ptr<outbox>, std::less<>> boxes_;
  std::shared_ptr<link_broker> state_;
  caf::actor broker_;
  bool stopped_ = false;
};

storage_error unusable(const std::string& what, const std::string& remedy) {
  return {storage_error_kind::unusable, what + ". " + remedy};
}

std::string check(const link_options& options) {
  auto name_is_fine = [](const std::string& name) {
    return !name.empty() && name.size() <= max_node_name_bytes;
  };
  if (!name_is_fine(options.name))
    return "a node's name has 1 to " + std::to_string(max_node_name_bytes) + " bytes";
  auto callers = names_of_callers(options.caller);
  for (const auto& peer : options.peers) {
    bool calls = !options.caller.empty() &&
                 std::find(callers.begin(), callers.end(), peer.name) != callers.end();
    if (!name_is_fine(peer.name) || peer.name == options.name)
      return "'" + peer.name + "' is no name of another node";
    if (!split_address(peer.address) && !calls)
      return "the address '" + peer.address + "' of node " + peer.name + " is not host:port";
    auto same = [&](const auto& other) { return other.name == peer.name; };
    if (std::count_if(options.peers.begin(), options.peers.end(), same) > 1)
      return "the node " + peer.name + " is there twice";
  }
  if (options.silence_limit.count() < 10 || options.resume_window.count() < 0)
    return "silence_limit is 10 ms at least, and resume_window is not negative";
  return {};
}

}  // namespace

result<std::unique_ptr<broker_links>, storage_error> make_broker_links(caf::actor_system& system,
                                                                       link_options options) {
  if (auto why = check(options); !why.empty())
    return unusable("cannot link node " + options.name + ": " + why, "Correct the cluster file");
  if (options.incarnation.empty())
    options.incarnation = message_id::make();
  options.max_kept_bytes =
      std::max(options.max_kept_bytes, max_link_message_bytes + max_record_bytes);
  socket_address address;
  if (!options.only_calls) {
    auto at = split_address(options.listen);
    auto addresses = at ? resolve(*at, false) : resolved{{}, "it is not host:port"};
    if (addresses.found.empty())
      return unusable("cannot listen at '" + options.listen + "' for links: " + addresses.problem,
                      "Correct listen of node " + options.name + " in the cluster file");
    address = addresses.found.front();
    if (!address.is_loopback() && !options.tls && !options.insecure)
      return unusable("refused to listen at " + options.listen +
                          " for links: beyond the machine all could read and write without TLS",
                      "Give certificates in [tls] of the cluster file, or say --insecure");
  }
  secret<std::string> key;
  std::shared_ptr<const tls_context> tls;
  if (options.tls) {
    auto loaded = tls_context::load(*options.tls);
    if (!loaded)
      return loaded.error();
    tls = *loaded;
  } else {
    auto read = read_or_make_secret(options.secret_file);
    if (!read)
      return read.error();
    key = *std::move(read);
  }
  opened_socket listening{-1, {}};
  if (!options.only_calls)
    listening = listen_at(address);
  if (listening.descriptor < 0 && !options.only_calls)
    return unusable("cannot listen at " + options.listen + " for links: " + listening.problem,
                    "Stop what has this address, or name another one for node " + options.name);
  return std::unique_ptr<broker_links>{std::make_unique<links_of_a_broker>(
      system, std::move(options), std::move(key), std::move(tls), listening.descriptor)};
}

}  // namespace microlith::internal
