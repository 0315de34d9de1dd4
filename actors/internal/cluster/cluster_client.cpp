#include <microlith/actors/cluster_client.hpp>
#include <microlith/actors/internal/cluster/cluster_file.hpp>
#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/actors/internal/link/broker_links.hpp>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

namespace microlith {

namespace wire = internal::wire;

namespace {

/// Before it is looked again whether a node can be reached at all.
constexpr std::chrono::milliseconds look_again{10};
/// A node that cannot be reached at the first try may be about to start.
constexpr std::chrono::milliseconds shortest_patience{300};

}  // namespace

class cluster_client::state final : public internal::link_events {
 public:
  explicit state(internal::cluster_file given) : file{std::move(given)} {}

  ~state() override {
    if (links)
      links->stop();
  }

  result<void, storage_error> open() {
    config.load<caf::io::middleman>();
    config.set("logger.verbosity", caf::atom("quiet"));
    config.set("scheduler.max-threads", std::int64_t{1});
    system.emplace(config);
    internal::link_options options;
    options.name = internal::operator_name;
    options.only_calls = true;
    for (const auto& [name, node] : file.nodes)
      options.peers.push_back({name, node.address()});
    if (file.tls) {
      auto files = file.tls_of(options.name);
      options.tls = internal::link_tls{files.certificate, files.key, files.authority};
    } else if (!std::filesystem::exists(file.secret)) {
      return storage_error{storage_error_kind::unusable,
                           "there is no " + file.secret.string() +
                               ", which the nodes of this file share: start one of them, and call "
                               "from where they run"};
    } else {
      options.secret_file = file.secret;
    }
    options.silence_limit = file.timings.silence;
    options.resume_window = file.timings.lost_after;
    auto made = internal::make_broker_links(*system, std::move(options));
    if (!made)
      return made.error();
    links = std::move(*made);
    links->start(*this);
    return {};
  }

  void joined(const std::string& name, message_id) override {
    std::lock_guard lock{mutex};
    there[name].joined = true;
    changed.notify_all();
  }

  void arrived(const std::string& name, std::span<const std::byte> message) override {
    std::lock_guard lock{mutex};
    auto& at = there[name];
    auto which = static_cast<wire::kind>(message.empty() ? std::byte{0} : message.front());
    bytes whole;
    if (which == wire::kind::fragment || which == wire::kind::last_fragment) {
      auto piece = message.subspan(1);
      if (at.pieces.size() + piece.size() <= wire::max_frame_bytes)
        at.pieces.insert(at.pieces.end(), piece.begin(), piece.end());
      if (which == wire::kind::fragment)
        return;
      whole = std::exchange(at.pieces, {});
      message = whole;
    }
    if (message.empty() || static_cast<wire::kind>(message.front()) != wire::kind::operator_answer)
      return;
    if (auto answer = decode<wire::operator_answer>(message.subspan(1)))
      at.answers[answer->ticket] = std::move(*answer);
    changed.notify_all();
  }

  void interrupted(const std::string& name, const std::string& why) override { gone(name, why); }
  void resumed(const std::string& name) override { joined(name, {}); }
  void lost(const std::string& name, const std::string& why) override { gone(name, why); }

  void gone(const std::string& name, const std::string& why) {
    std::lock_guard lock{mutex};
    auto& at = there[name];
    at.joined = false;
    at.why = why;
    at.pieces.clear();
    ++at.losses;
    changed.notify_all();
  }

  /// Why a node cannot be reached, as far as is known.
  std::string problem_of(const std::string& name) {
    for (const auto& link : links->status()) {
      if (link.peer == name && !link.problem.empty())
        return link.problem;
    }
    return there[name].why;
  }

  struct node_there {
    bool joined = false;
    std::string why;
    std::uint64_t losses = 0;
    bytes pieces;
    std::map<std::uint64_t, wire::operator_answer> answers;
  };

  /// Asks once the node has joined. Empty: no answer, and `why` says why not.
  std::optional<wire::operator_answer> ask(const std::string& node,
                                           wire::operator_question question,
                                           std::chrono::steady_clock::time_point began,
                                           std::chrono::milliseconds patience, bool& was_asked,
                                           std::string& why) {
    std::unique_lock lock{mutex};
    auto& at = there[node];
    question.ticket = ++last_ticket;
    std::uint64_t losses = 0;
    for (;;) {
      auto waited = std::chrono::steady_clock::now() - began;
      if (!was_asked && at.joined) {
        was_asked = links->send(node, wire::frame(wire::kind::operator_question, question)) ==
                    internal::sent::taken;
        losses = at.losses;
      }
      if (auto answer = at.answers.extract(question.ticket))
        return std::move(answer.mapped());
      if (was_asked && at.losses != losses) {
        why = at.why;
        return std::nullopt;
      }
      auto problem = at.joined ? std::string{} : problem_of(node);
      if (waited >= patience || (!was_asked && !problem.empty() && waited >= shortest_patience)) {
        why = !problem.empty() ? problem : "no answer in time";
        return std::nullopt;
      }
      changed.wait_for(lock, look_again);
    }
  }

  internal::cluster_file file;
  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
  std::unique_ptr<internal::broker_links> links;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, node_there> there;
  /// Begun anywhere: an answer that a caller before this one did not wait for is none to this one.
  std::uint64_t last_ticket = message_id::make().low;
};

cluster_client::cluster_client(std::unique_ptr<state> made) : state_{std::move(made)} {}
cluster_client::~cluster_client() = default;

result<std::unique_ptr<cluster_client>, storage_error> cluster_client::open(
    const std::filesystem::path& file) {
  auto read = internal::read_cluster_file(file);
  if (!read)
    return read.error();
  auto made = std::make_unique<state>(std::move(*read));
  if (auto opened = made->open(); !opened)
    return opened.error();
  return std::unique_ptr<cluster_client>{new cluster_client{std::move(made)}};
}

std::vector<node_answer> cluster_client::status(std::chrono::milliseconds patience) {
  auto began = std::chrono::steady_clock::now();
  std::vector<node_answer> all;
  for (const auto& [name, node] : state_->file.nodes) {
    auto& one = all.emplace_back(node_answer{name, node.address(), {}, {}});
    bool asked = false;
    if (auto answer = state_->ask(name, {}, began, patience, asked, one.why))
      one.status = std::move(answer->status);
  }
  return all;
}

result<void, failure> cluster_client::move(const std::string& component, const std::string& to,
                                           std::chrono::milliseconds patience) {
  const auto& keeper = state_->file.host_of(internal::journal_component)->name;
  bool asked = false;
  std::string why;
  auto began = std::chrono::steady_clock::now();
  auto answer = state_->ask(keeper, {.ticket = 0, .component = component, .to = to}, began,
                            patience, asked, why);
  if (!answer)
    return failure{.kind = failure_kind::unreachable,
                   .certainty = asked ? certainty::unknown : certainty::not_done,
                   .text = "node " + keeper + ", which has the journal and moves components, " +
                           (asked ? "did not say what became of it: " : "cannot be reached: ") +
                           why,
                   .message = {}};
  if (answer->refused)
    return failure{.kind = failure_kind::handler_failed,
                   .certainty = certainty::not_done,
                   .text = component + " has not moved to node " + to + ": " + *answer->refused,
                   .message = {}};
  return {};
}

}  // namespace microlith
