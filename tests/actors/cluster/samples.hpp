#pragma once

// Accounts on one node, their balances as rows on another, the journal on a third: what the tests
// of clusters let run.

#include "actors/samples.hpp"
#include "support/cluster_nodes.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/actors/internal/cluster/wire.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace samples {

/// Rows of the accounts, and a query for one of them.
struct balance_row {
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(balance_row, (), (balance))
inline constexpr microlith::table<std::string, balance_row> balances_table{"balances"};

inline microlith::component balances() {
  microlith::projection rows{"test.balances", 1};
  rows.keeps(balances_table);
  rows.on<deposited>([](const deposited& e, microlith::write_transaction& t) {
    balances_table.put(t, e.owner, {e.balance});
  });
  microlith::component hosted{"test.balances"};
  hosted.projects(std::move(rows));
  hosted.answers<ping>("test.balances", [](const ping&, const microlith::read_transaction& at) {
    auto row = balances_table.get(at, "ann");
    return pong{row ? row->balance : -1};
  });
  return hosted;
}

inline std::vector<microlith::component> accounts_and_balances() {
  return {accounts(), balances()};
}

inline const microlith::test::cluster_nodes::placement three{
    {"a", {"journal"}}, {"b", {"test.accounts"}}, {"c", {"test.balances"}}};

struct started_three {
  /// `on_disk`: nodes that have a directory; c needs one.
  explicit started_three(const std::vector<std::string>& on_disk = {"c"}) {
    for (const char* name : {"a", "b", "c"}) {
      bool has_one = std::find(on_disk.begin(), on_disk.end(), name) != on_disk.end();
      nodes.start(name, accounts_and_balances(),
                  {.data = has_one ? data.path() / name : std::filesystem::path{}});
    }
  }

  microlith::test::temporary_directory data;
  microlith::test::cluster_nodes nodes{three};
};

/// Nodes that have a directory: all of them.
inline const std::vector<std::string> on_disk{"a", "b", "c"};

inline std::vector<std::string> serving(microlith::test::cluster_nodes& nodes,
                                        const std::string& name) {
  return nodes[name].cluster().serves;
}

// What goes over the network.

inline bool is(std::span<const std::byte> message, microlith::internal::wire::kind kind) {
  return message.front() == static_cast<std::byte>(kind);
}

/// A report that a component has left its place.
inline bool is_left(std::span<const std::byte> message) {
  namespace wire = microlith::internal::wire;
  return is(message, wire::kind::step_report) &&
         microlith::decode<wire::move_step>(message.subspan(1)).value().what ==
             static_cast<std::uint8_t>(wire::step::left);
}

}  // namespace samples
