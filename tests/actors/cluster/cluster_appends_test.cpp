// Appends to the journal of another node.

#include "actors/cluster/samples.hpp"
#include "support/scripted_journal.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::cluster_nodes;
using test::failure_of;

BOOST_AUTO_TEST_SUITE(cluster_appends)

BOOST_AUTO_TEST_CASE(doing_it_again_with_the_same_id_does_it_once) {
  started_three at;
  auto& c = at.nodes["c"];
  static_cast<void>(c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  auto command = correlated(deposit{"ann", 5});
  std::vector<std::string> ends;
  auto note = [&](const answer<deposited>& a) {
    ends.push_back(a.failed() ? std::string{to_string(failure_of(a).kind)} : "done");
  };
  c.commands().dispatch_and_wait<deposited>(command, 1h, note);
  // The events reach the journal; the news of it does not leave b any more.
  while (at.nodes["a"].journal().last_position() < 2)
    BOOST_REQUIRE(at.nodes.network->step());
  at.nodes.kill("b");
  at.nodes.run();
  BOOST_REQUIRE(ends.size() == 1U);
  at.nodes.network->thaw("b");
  at.nodes.start("b", accounts_and_balances());
  auto again = c.commands().dispatch_and_wait<deposited>(command, 1h);
  BOOST_TEST(answered<deposited>(again).balance == 5);
  BOOST_TEST(at.nodes["a"].journal().last_position() == 2U);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(without_its_journal_a_decider_says_so_at_once) {
  started_three at;
  auto& c = at.nodes["c"];
  at.nodes.network->cut("a", "b");
  at.nodes.run();
  auto refused = c.commands().dispatch_and_wait<account_opened>(open_account{"ann"});
  BOOST_TEST(failure_of(refused).kind == failure_kind::unreachable);
  BOOST_TEST(failure_of(refused).certainty == certainty::not_done);
  at.nodes.network->heal("a", "b");
  at.nodes.run();
  BOOST_TEST(!c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(appends_are_settled_in_order_when_the_journal_is_lost_in_between) {
  started_three at;
  auto& b = at.nodes["b"];
  static_cast<void>(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  std::vector<std::string> ends;
  auto note = [&](const answer<deposited>& a) {
    ends.push_back(a.failed() ? std::string{to_string(failure_of(a).kind)} : "done");
  };
  at.nodes.run();
  b.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}, 1h, note);
  // Its append is taken; the next one is refused, and built on it.
  while (b.statistics().in_flight.at("appends elsewhere") == 0)
    BOOST_REQUIRE(at.nodes.network->step());
  at.nodes.network->cut("a", "b");
  b.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}, 1h, note);
  at.nodes.run();
  BOOST_TEST(ends.empty());
  at.nodes.network->heal("a", "b");
  at.nodes.run();
  BOOST_TEST(ends == (std::vector<std::string>{"done", "unreachable"}),
             boost::test_tools::per_element());
  auto paid = b.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(paid).balance == 2);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(an_append_ends_when_the_node_with_the_journal_dies) {
  started_three at;
  auto& b = at.nodes["b"];
  static_cast<void>(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  at.nodes.run();
  std::optional<failure> why;
  at.nodes["c"].commands().dispatch_and_wait<deposited>(
      deposit{"ann", 1}, 1h, [&](const answer<deposited>& a) { why = failure_of(a); });
  while (b.statistics().in_flight.at("appends elsewhere") == 0)
    BOOST_REQUIRE(at.nodes.network->step());
  at.nodes.kill("a");
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(why->kind == failure_kind::unreachable);
  BOOST_TEST(why->certainty == certainty::unknown);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(somebody_elses_event_is_a_conflict_also_from_afar) {
  auto script = std::make_shared<test::journal_script>();
  cluster_nodes nodes{three};
  nodes.start("a", accounts_and_balances(), {.wrap_journal = test::scripted(script)});
  auto& b = nodes.start("b", accounts_and_balances());
  static_cast<void>(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  bool once = false;
  script->before_append = [&](journal& real) {
    if (!std::exchange(once, true))
      test::append_behind_its_back(real, deposited{"ann", 100}, "test.account/ann");
  };
  auto paid = b.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(paid).balance == 101);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
