#pragma once

// Connections that are asked for, from the name of a host to the socket that stands. Nobody waits:
// what has come of them is asked for again and again. Of the addresses that a name stands for one
// after another is tried. For one thread.

#include <microlith/actors/internal/link/peer.hpp>
#include <microlith/actors/internal/link/resolver.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace microlith::internal {

class link_dialler {
 public:
  explicit link_dialler(bool beyond_the_machine) : beyond_the_machine_{beyond_the_machine} {}
  link_dialler(const link_dialler&) = delete;
  link_dialler& operator=(const link_dialler&) = delete;
  ~link_dialler();

  void dial(connection_id id, const std::string& address, link_time now);
  /// The same, and what stands is closed at once.
  void knock(connection_id id, const std::string& address, link_time now);
  /// Nobody wants it any more.
  void forget(connection_id id);

  struct outcome {
    connection_id id = no_connection;
    int descriptor = -1;  ///< the caller's from now on; none: it was a knock, or see `problem`
    std::string problem;
    bool refused = false;  ///< the host is there, and nobody listens at any of its addresses
  };
  /// One that is there by now, if any; each is told once.
  [[nodiscard]] std::optional<outcome> take_outcome(link_time now);
  /// When there may be some; none is under way: the end of time.
  [[nodiscard]] link_time deadline() const;

 private:
  struct attempt {
    std::string address;
    link_time begun;
    link_time look_at;
    bool only_knocks = false;
    std::optional<std::vector<socket_address>> left = {};  ///< none: it is being resolved
    int descriptor = -1;                                   ///< of the one that is being tried
    std::string problem = {};
    bool refused = false;
    bool failed_otherwise = false;
  };

  /// Whether something has come of it.
  [[nodiscard]] bool look(attempt& at, outcome& out);
  void resolve(attempt& at, resolved to);
  /// Begins with the next address at which that is possible.
  void begin_next(attempt& at);

  const bool beyond_the_machine_;
  resolver resolver_;
  std::map<connection_id, attempt> attempts_;
  std::map<std::string, std::size_t> first_;  // which of the addresses of a name is tried first
};

}  // namespace microlith::internal
