#pragma once

// The broker of links: CAF's sockets on one side, the engine on the other.
//
// Runs on the multiplexer's thread, but for what is marked.

#include <microlith/actors/internal/link/dialler.hpp>
#include <microlith/actors/internal/link/engine.hpp>

#include <caf/atom.hpp>
#include <caf/io/broker.hpp>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace microlith::internal {

using link_flush_atom = caf::atom_constant<caf::atom("linkflush")>;
using link_tick_atom = caf::atom_constant<caf::atom("linktick")>;
using link_stop_atom = caf::atom_constant<caf::atom("linkstop")>;

class link_broker final : public link_wire, public std::enable_shared_from_this<link_broker> {
 public:
  /// Takes the listening descriptor. Any thread.
  link_broker(link_options options, secret<std::string> key, std::shared_ptr<const tls_context> tls,
              std::vector<std::shared_ptr<outbox>> boxes, int listening);
  ~link_broker() override;

  [[nodiscard]] caf::behavior run(caf::io::broker* self, link_events& to);

  /// Any thread: returns when `run` has come to its end after a stop message.
  void wait_for_end();

  void dial(connection_id id, const std::string& address) override;
  void knock(connection_id id, const std::string& address) override;
  void write(connection_id id, std::span<const std::byte> bytes) override;
  void finish(connection_id id) override;
  void abort(connection_id id) override;

 private:
  struct socket {
    connection_id id = no_connection;
    caf::io::connection_handle handle;
    std::size_t unwritten_bytes = 0;
    std::optional<link_time> abort_at = {};  ///< it is to be closed when all is written, or then
  };

  [[nodiscard]] static link_time now() { return std::chrono::steady_clock::now(); }
  void add(connection_id id, caf::io::connection_handle handle);
  void take_dialled();
  void close(socket& which, bool now);
  /// What was put off during a call of the engine, the clock, and the end.
  void settle();
  void arm();
  void end_if_done();

  const link_options options_;
  int listening_;
  caf::io::broker* self_ = nullptr;
  link_dialler dialler_;
  link_engine engine_;
  std::map<connection_id, std::unique_ptr<socket>> sockets_;
  std::map<caf::io::connection_handle, socket*> by_handle_;
  std::optional<link_time> armed_;
  std::uint64_t arming_ = 0;
  std::optional<link_time> stop_at_;
  bool stopped_ = false;

  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
};

}  // namespace microlith::internal
