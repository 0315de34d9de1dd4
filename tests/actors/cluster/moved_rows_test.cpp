// What a component answers from rows of its new place, where it was seen with others.

#include "actors/cluster/samples.hpp"
#include "support/calling_operator.hpp"
#include "support/scripted_journal.hpp"

#include <microlith/actors/internal/cluster/placement.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::calling_operator;
using test::failure_of;
namespace wire = internal::wire;

BOOST_AUTO_TEST_SUITE(moved_rows)

BOOST_AUTO_TEST_CASE(what_was_seen_before_a_move_is_seen_after_it) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& a = at.nodes["a"];
  static_cast<void>(a.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  static_cast<void>(a.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}));
  at.nodes.run();
  // From when it has said that its rows are up to date, the target reads no more.
  bool prepared = false;
  at.nodes.network->on_send = [&](const std::string& from, const std::string&,
                                  std::span<const std::byte> message) {
    prepared = prepared || (from == "b" && is(message, wire::kind::step_report));
  };
  at.nodes.network->loses = [&](const std::string&, const std::string& to,
                                std::span<const std::byte> message) {
    return prepared && to == "b" && is(message, wire::kind::page);
  };
  tool.begin_move("test.balances", "b");
  while (!prepared)
    BOOST_REQUIRE(at.nodes.network->step() || at.nodes.network->jump());
  // It is asked before it is held back, and answered where it was once it is paid.
  std::int64_t seen = 0;
  a.queries().ask(ping{}, {.after = a.journal().last_position() + 1},
                  [&](const answer<pong>& got) { seen = answered<pong>(got).number; });
  static_cast<void>(a.commands().dispatch(deposit{"ann", 1}));
  BOOST_TEST(tool.end_move() == "");
  BOOST_TEST(seen == 2);
  std::optional<answer<pong>> after;
  a.queries().ask(ping{}, {.limit = 1min}, [&](const answer<pong>& got) { after = got; });
  at.nodes.run();
  BOOST_TEST(!after.has_value());
  at.nodes.network->loses = nullptr;
  a.advance(2s);
  BOOST_REQUIRE(after.has_value());
  BOOST_TEST(answered<pong>(*after).number == 2);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_node_that_begins_after_a_move_with_old_rows_does_not_answer_from_them) {
  // The nodes died when the move was journaled, and before anything began at the new place.
  for (const char* to : {"a", "b"}) {
    started_three at{on_disk};
    {
      calling_operator tool{at.nodes};
      auto pay = [&] {
        BOOST_TEST(
            !at.nodes["b"].commands().dispatch_and_wait<deposited>(deposit{"ann", 1}).failed());
      };
      static_cast<void>(
          at.nodes["b"].commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
      pay();
      BOOST_TEST(tool.move("test.balances", to) == "");
      BOOST_TEST(tool.move("test.balances", "c") == "");
      pay();
    }
    for (const char* name : {"a", "b", "c"})
      at.nodes.stop(name);
    auto script = std::make_shared<test::journal_script>();
    script->cannot_read = storage_error{storage_error_kind::unreachable, "the disk is busy", 0};
    auto with_move = [&](std::unique_ptr<journal> real) {
      test::append_behind_its_back(*real, component_moved_event{"test.balances", "c", to, 3},
                                   internal::placement_stream("test.balances"));
      return test::scripted(script)(std::move(real));
    };
    at.nodes.start("a", accounts_and_balances(),
                   {.data = at.data.path() / "a", .wrap_journal = with_move});
    at.nodes.start("b", accounts_and_balances(), {.data = at.data.path() / "b"});
    auto& c = at.nodes.start("c", accounts_and_balances(), {.data = at.data.path() / "c"});
    BOOST_TEST((at.nodes[to].rows("test.balances") != nullptr));
    auto why = failure_of(c.queries().ask(ping{}));
    BOOST_TEST((why.kind == failure_kind::unreachable), why.text);
    script->cannot_read.reset();
    c.advance(2s);
    BOOST_TEST(answered<pong>(c.queries().ask(ping{})).number == 2);
    BOOST_TEST(at.nodes.open_ends() == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
