#pragma once

// Another node of the cluster as this one sees it.
//
// Who may touch what: what comes in belongs to the thread that the link calls for this peer; what
// goes out is under `sending`; `routes` is replaced as a whole.

#include <microlith/actors/internal/cluster/cluster_file.hpp>
#include <microlith/actors/internal/cluster/published_frame.hpp>
#include <microlith/actors/internal/cluster/wire.hpp>
#include <microlith/messages/message_type.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace microlith::internal {

/// A type as a peer writes it, and what this node makes of it.
struct incoming_type {
  message_kind kind = message_kind::command;
  bool holds_secret = false;
  std::shared_ptr<const schema> written;  ///< null: the peer never announced this number
  const message_type* own = nullptr;      ///< null: unknown here
  bool same = false;                      ///< the layout is that of `own`
  std::string problem;                    ///< why it cannot be read here; empty: it can
  const message_type* raw = nullptr;      ///< stands for it as bytes, where that is needed
};

struct peer {
  explicit peer(const cluster_node& node) : name{node.name}, address{node.address()} {}

  const std::string name;
  const std::string address;
  bool carries_secrets = false;
  bool is_operator = false;  ///< the tool, not a node

  std::atomic<bool> joined{false};
  std::atomic<bool> cut_off{false};
  std::atomic<bool> greeted{false};

  // The link's thread.
  std::vector<incoming_type> types;
  bytes pieces;                          ///< of a frame that came in fragments
  wire::message heard;                   ///< the last one; keeps its memory
  std::vector<envelope> to_subscribers;  ///< here, of the frame of the link that is being taken

  // Under `sending`.
  std::mutex sending;
  published_frame published;  ///< leaves before whatever follows it
  std::deque<bytes> backlog;  ///< what must arrive and cannot leave yet
  std::size_t backlog_bytes = 0;
  bool bell_due = false;

  // Under `looking`.
  mutable std::mutex looking;
  std::string why = "it has not been there yet";  ///< it is not there
  std::shared_ptr<const wire::routes> routes;     ///< null: not known, or gone

  [[nodiscard]] std::shared_ptr<const wire::routes> known_routes() const {
    std::lock_guard lock{looking};
    return routes;
  }
  [[nodiscard]] std::string why_not() const {
    std::lock_guard lock{looking};
    return why;
  }
};

}  // namespace microlith::internal
