#pragma once

// Several deterministic nodes of one cluster, started, stopped and killed by name.

#include "support/fake_network.hpp"
#include "support/node.hpp"

#include <microlith/actors/node.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace microlith::test {

class cluster_nodes {
 public:
  /// Which node hosts which components; "journal" among them.
  using placement = std::vector<std::pair<std::string, std::vector<std::string>>>;

  explicit cluster_nodes(const placement& places) : text{text_of(places)} {}
  cluster_nodes(const cluster_nodes&) = delete;
  cluster_nodes& operator=(const cluster_nodes&) = delete;
  ~cluster_nodes() {
    for (auto& [name, each] : nodes_)
      each->stop();
  }

  /// Starts a node of a program with these components, and lets everything settle.
  node& start(const std::string& name, std::vector<component> components = {},
              node_options options = {}) {
    options.scheduler = scheduling::deterministic;
    options.log = log.writer();
    options.cluster =
        cluster_options{.file = "cluster.toml", .node = name, .text = text, .wiring = network};
    auto started = node::start(std::move(options), std::move(components));
    BOOST_REQUIRE_MESSAGE(started.has_value(),
                          (started ? std::string{} : to_string(started.error())));
    auto& at = nodes_[name];
    at = std::make_unique<node>(std::move(*started));
    at->run();
    return *at;
  }

  [[nodiscard]] node& operator[](const std::string& name) { return *nodes_.at(name); }

  void stop(const std::string& name) {
    nodes_.at(name)->stop();
    nodes_.erase(name);
    run();
  }

  /// The others see its process die; nothing of what it had begun leaves it.
  void kill(const std::string& name) {
    network->kill(name);
    nodes_.at(name)->stop();
    nodes_.erase(name);
    run();
  }

  /// Makes all steps that are due.
  void run() {
    while (network->step()) {
    }
  }

  /// Messages that some node still answers for.
  [[nodiscard]] std::uint64_t open_ends() {
    run();
    std::uint64_t all = 0;
    for (auto& [name, each] : nodes_) {
      for (const auto& [where, count] : each->statistics().in_flight)
        all += count;
    }
    return all;
  }

  std::string text;  ///< of the cluster file
  std::shared_ptr<fake_network> network = std::make_shared<fake_network>();
  log_lines log;

 private:
  static std::string text_of(const placement& places) {
    std::string file;
    int port = 4101;
    for (const auto& [name, hosts] : places) {
      file +=
          "[nodes." + name + "]\nlisten = '127.0.0.1:" + std::to_string(port++) + "'\nhosts = [";
      for (const auto& each : hosts)
        file += "'" + each + "', ";
      file += "]\n";
    }
    return file;
  }

  std::map<std::string, std::unique_ptr<node>> nodes_;
};

}  // namespace microlith::test
