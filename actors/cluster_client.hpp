#pragma once

// What a person asks of a cluster, from outside: how its nodes are, and that a component moves.
//
// Calls all nodes of a cluster file over links of their own, as `operator`: with the nodes' secret,
// or, where the file has [tls], with the operator's certificate. Several may be there at once
// (max_callers), as several persons are. For one thread; calls block.

#include <microlith/actors/cluster_status.hpp>
#include <microlith/messages/outcome.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/persistence/error.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace microlith {

struct node_answer {
  std::string node;
  std::string address;
  std::optional<cluster_status> status;
  std::string why;  ///< there is none
};

class cluster_client {
 public:
  [[nodiscard]] static result<std::unique_ptr<cluster_client>, storage_error> open(
      const std::filesystem::path& file);
  ~cluster_client();
  cluster_client(const cluster_client&) = delete;
  cluster_client& operator=(const cluster_client&) = delete;

  /// Of every node of the file, by name. A node that does not answer is waited for so long.
  [[nodiscard]] std::vector<node_answer> status(
      std::chrono::milliseconds patience = std::chrono::milliseconds{2'500});

  /// Returns when it has moved, or why it has not. A failure that is `unknown` says that the answer
  /// was lost or takes longer: `status` tells what became of it.
  [[nodiscard]] result<void, failure> move(
      const std::string& component, const std::string& to,
      std::chrono::milliseconds patience = std::chrono::milliseconds{600'000});

 private:
  class state;
  explicit cluster_client(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace microlith
