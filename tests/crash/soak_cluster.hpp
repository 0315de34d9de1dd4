#pragma once

// Three processes of auth-node on this machine, with a proxy in each of their links: what is done
// to them and to the network between them.
//
// One thread at a time, but for `move`.

#include "actors/link/link_proxy.hpp"
#include "support/child_process.hpp"
#include "support/reserved_port.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace microlith::test {

class soak_cluster {
 public:
  static constexpr std::size_t size = 3;  ///< nodes, and pairs of them
  static constexpr std::array<const char*, size> names{"a", "b", "c"};
  /// The nodes of a pair; the first one dials.
  static constexpr std::array<std::array<std::size_t, 2>, size> pairs{{{0, 1}, {0, 2}, {1, 2}}};
  /// That has the journal, and that serves HTTP.
  static constexpr std::size_t journal_node = 0;
  static constexpr std::size_t gateway_node = 2;

  /// Makes the files and the proxies; starts nothing.
  soak_cluster(std::filesystem::path directory, bool with_tls);

  // Each says what went wrong; empty: nothing.
  [[nodiscard]] std::string start(std::size_t node);
  [[nodiscard]] std::string kill(std::size_t node);
  [[nodiscard]] std::string stop(std::size_t node);

  void freeze(std::size_t node);
  void thaw(std::size_t node);
  /// Breaks the connections of a pair; they may be made again at once.
  void cut(std::size_t pair);
  /// From now on nothing of a pair gets through in this direction.
  void hold(std::size_t pair, link_proxy::direction way, bool on);

  /// Tells the nodes to move a component; why they did not. Any thread.
  [[nodiscard]] std::string move(const std::string& component, std::size_t to) const;

  /// What the nodes say of themselves and each other.
  [[nodiscard]] std::string status() const;

  /// Of HTTP. A node that has no gateway serves its status.
  [[nodiscard]] std::uint16_t port(std::size_t node) const { return http_ports_[node].number(); }
  [[nodiscard]] std::filesystem::path data(std::size_t node) const;

 private:
  void write_files(bool with_tls) const;

  std::filesystem::path directory_;
  std::array<reserved_port, size> link_ports_;
  std::array<reserved_port, size> http_ports_;
  std::array<std::unique_ptr<link_proxy>, size> proxies_;
  // Gone before the proxies: one that is frozen takes nothing from its proxy.
  std::array<std::unique_ptr<child_process>, size> processes_;
};

}  // namespace microlith::test
