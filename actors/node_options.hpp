#pragma once

// How a node is set up: where its data lies, and its bounds.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace microlith {

class journal;

enum class log_level : std::uint8_t { debug, info, warning, error };

enum class scheduling : std::uint8_t {
  threads,        ///< real threads, real time
  deterministic,  ///< one step after the other on the calling thread, virtual time: for tests
};

namespace internal {
class cluster_wiring;
}

/// Which node of which cluster a process is.
struct cluster_options {
  std::filesystem::path file = {};  ///< the cluster file; see README.md
  std::string node = {};            ///< one of its nodes
  /// Links beyond loopback may do without TLS.
  bool insecure = false;
  /// What the file holds, instead of reading it; for tests, as is `wiring`.
  std::string text = {};
  std::shared_ptr<internal::cluster_wiring> wiring = {};
};

struct node_options {
  std::string name = "node";        ///< appears in envelopes as the origin of conversations
  std::filesystem::path data = {};  ///< the data directory; empty: an in-memory journal, for tests
  unsigned threads = 0;             ///< that run handlers; 0: one a core
  unsigned prepare_workers = 0;     ///< threads for slow work of deciders; 0: one a core
  std::size_t max_prepare_queue = 256;          ///< work that waits for a worker
  std::size_t max_commands_in_flight = 16'384;  ///< admitted from outside and not done
  std::size_t max_queries_in_flight = 16'384;
  std::size_t max_events_in_flight = 16'384;
  std::size_t max_waits = 65'536;           ///< pending at once
  std::size_t max_answered_slots = 65'536;  ///< conversations kept for waits that may still come
  std::chrono::milliseconds keep_answers{10'000};  ///< how long they are kept
  std::chrono::milliseconds drain{3'000};  ///< how long a stopping node lets conversations end
  /// The most the journal may grow to, and so may each projection, the snapshots and each durable
  /// subscription; the index twice as much. 0: what the machine has.
  std::size_t journal_map_bytes = 0;
  scheduling scheduler = scheduling::threads;
  /// Empty: one process with all components, and no links.
  std::optional<cluster_options> cluster = {};
  /// Called from any thread. Empty: nothing is logged.
  std::function<void(log_level, const std::string&)> log = {};
  /// Wraps the journal that the node opened, e.g. with one that fails on demand, in tests.
  std::function<std::unique_ptr<journal>(std::unique_ptr<journal>)> wrap_journal = {};
};

}  // namespace microlith
