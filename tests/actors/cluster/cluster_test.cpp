// Who serves what, and what becomes of it when that node is not there.

#include "actors/cluster/samples.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::cluster_nodes;
using test::failure_of;
namespace wire = internal::wire;

BOOST_AUTO_TEST_SUITE(cluster)

BOOST_AUTO_TEST_CASE(nobody_could_and_somebody_would_are_told_apart) {
  cluster_nodes nodes{three};
  auto& a = nodes.start("a", accounts_and_balances());
  auto nobody = a.commands().dispatch(work{1});
  BOOST_REQUIRE(!nobody.has_value());
  BOOST_TEST(nobody.error().kind == failure_kind::no_handler);
  auto absent = a.commands().dispatch(open_account{"ann"});
  BOOST_REQUIRE(!absent.has_value());
  BOOST_TEST(absent.error().kind == failure_kind::unreachable);
  BOOST_TEST(absent.error().certainty == certainty::not_done);
  BOOST_TEST(absent.error().text.find("node b") != std::string::npos);
  BOOST_TEST(absent.error().text.find("test.accounts") != std::string::npos);
  // What a handler sends in vain is counted as well.
  auto handler =
      a.commands()
          .subscribe<work>([](const work&, context& ctx) { ctx.dispatch(open_account{"ann"}); })
          .value();
  BOOST_TEST(a.commands().dispatch(work{1}).has_value());
  nodes.run();
  auto refused = a.statistics().refused;
  BOOST_TEST(refused.at("no_handler") == 1U);
  BOOST_TEST(refused.at("unreachable") == 2U);
  BOOST_TEST(nodes.log.count("refused: unreachable (not_done): ") == 1U);
  // What a node was seen to serve it would, also where no component says so.
  auto& b = nodes.start("b", accounts_and_balances());
  auto other = b.commands().subscribe<other_work>([](const other_work&) {}).value();
  nodes.run();
  BOOST_TEST(a.commands().dispatch(other_work{1}).has_value());
  nodes.network->cut("a", "b");
  nodes.run();
  absent = a.commands().dispatch(other_work{1});
  BOOST_REQUIRE(!absent.has_value());
  BOOST_TEST(absent.error().kind == failure_kind::unreachable);
  BOOST_TEST(absent.error().text.find("node b") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_order_of_starting_does_not_matter) {
  test::temporary_directory data;
  cluster_nodes nodes{three};
  auto& c = nodes.start("c", accounts_and_balances(), {.data = data.path()});
  // Its component waits for the journal.
  auto early = c.queries().ask(ping{});
  BOOST_TEST(failure_of(early).kind == failure_kind::unreachable);
  BOOST_TEST(failure_of(early).text.find("node a") != std::string::npos);
  BOOST_TEST(c.cluster().waiting == std::vector<std::string>{"test.balances"},
             boost::test_tools::per_element());
  auto& b = nodes.start("b", accounts_and_balances());
  BOOST_TEST(failure_of(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"})).kind ==
             failure_kind::unreachable);
  nodes.start("a", accounts_and_balances());
  BOOST_TEST(c.cluster().waiting.empty());
  BOOST_TEST(!c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  auto paid = c.commands().dispatch_and_wait<deposited>(deposit{"ann", 5});
  BOOST_REQUIRE(!paid.failed());
  BOOST_TEST(answered<pong>(b.queries().ask(ping{}, {.after = paid.position})).number == 5);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_written_is_read_on_every_node) {
  started_three at;
  BOOST_TEST(
      !at.nodes["a"].commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  for (std::int64_t i = 1; i <= 20; ++i) {
    auto& writer = at.nodes[i % 2 == 0 ? "a" : "c"];
    auto paid = writer.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
    BOOST_REQUIRE(!paid.failed());
    for (const char* reader : {"a", "b", "c"})
      BOOST_TEST(
          answered<pong>(at.nodes[reader].queries().ask(ping{}, {.after = paid.position})).number ==
          i);
  }
  BOOST_TEST(at.nodes["a"].journal().last_position() == 21U);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_ends_the_waits_for_what_it_had) {
  started_three at;
  auto& c = at.nodes["c"];
  std::optional<failure> why;
  // Dispatched, on its way, and no further.
  at.nodes.network->freeze("b");
  c.commands().dispatch_and_wait<account_opened>(
      open_account{"ann"}, 1h, [&](const answer<account_opened>& a) { why = failure_of(a); });
  at.nodes.run();
  BOOST_TEST(!why.has_value());
  at.nodes.kill("b");
  at.nodes.run();
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(why->kind == failure_kind::unreachable);
  BOOST_TEST(why->certainty == certainty::unknown);
  BOOST_TEST(at.nodes.open_ends() == 0U);
  // From now on it is known.
  auto next = c.commands().dispatch(open_account{"ann"});
  BOOST_REQUIRE(!next.has_value());
  BOOST_TEST(next.error().certainty == certainty::not_done);
}

BOOST_AUTO_TEST_CASE(what_a_peer_says_to_the_process_before_means_nothing_to_the_next_one) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.accounts"}}, {"c", {}}}};
  nodes.start("a", {accounts()});
  auto& b = nodes.start("b", {accounts()});
  for (const char* owner : {"ann", "bob"})
    BOOST_TEST(!b.commands().dispatch_and_wait<account_opened>(open_account{owner}).failed());
  // b cannot end what c has asked for, until c is another process.
  auto& before = nodes.start("c", {accounts()});
  nodes.network->freeze("a");
  BOOST_TEST(before.commands().dispatch(deposit{"ann", 1}).has_value());
  while (b.statistics().in_flight.at("appends elsewhere") == 0)
    BOOST_REQUIRE(nodes.network->step());
  nodes.kill("c");
  auto& c = nodes.start("c", {accounts()});
  std::vector<std::uint64_t> ends;
  c.commands().dispatch_and_wait<accepted>(deposit{"bob", 1}, 1h, [&](const answer<accepted>& a) {
    const auto* end = a.get_if<accepted>();
    ends.push_back(end != nullptr ? end->position : 0);
  });
  nodes.run();
  nodes.network->thaw("a");
  nodes.run();
  // The third event is what the process before had asked for.
  BOOST_TEST(ends == std::vector<std::uint64_t>{4}, boost::test_tools::per_element());
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_link_that_is_cut_refuses_at_once_and_loses_nothing) {
  started_three at;
  auto& c = at.nodes["c"];
  static_cast<void>(c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  at.nodes.run();
  int done = 0;
  // One is with b when the link between them is cut. That it ended well b alone can say.
  c.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}, 1h,
                                           [&](const auto& a) { done += a.failed() ? 100 : 1; });
  while (at.nodes["b"].statistics().in_flight.at("for other nodes") == 0)
    BOOST_REQUIRE(at.nodes.network->step());
  at.nodes.network->cut("b", "c");
  at.nodes.run();
  BOOST_TEST(done == 0);
  auto refused = c.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(failure_of(refused).kind == failure_kind::unreachable);
  BOOST_TEST(failure_of(refused).certainty == certainty::not_done);
  at.nodes.network->heal("b", "c");
  at.nodes.run();
  BOOST_TEST(done == 1);
  auto paid = c.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(paid).balance == 2);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(the_bell_rings_again_when_the_journal_is_back) {
  started_three at;
  auto& a = at.nodes["a"];
  static_cast<void>(a.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  at.nodes.network->cut("a", "c");
  at.nodes.run();
  auto paid = a.commands().dispatch_and_wait<deposited>(deposit{"ann", 3});
  BOOST_REQUIRE(!paid.failed());
  BOOST_TEST(at.nodes["c"].statistics().projection_position.at("test.balances") < paid.position);
  at.nodes.network->heal("a", "c");
  at.nodes.run();
  BOOST_TEST(at.nodes["c"].statistics().projection_position.at("test.balances") == paid.position);
  // Also of what c was told of and could not read.
  at.nodes.network->loses = [](const std::string&, const std::string& to,
                               std::span<const std::byte> message) {
    return to == "c" && is(message, wire::kind::page);
  };
  paid = a.commands().dispatch_and_wait<deposited>(deposit{"ann", 3});
  at.nodes.run();
  at.nodes.network->loses = nullptr;
  BOOST_TEST(at.nodes["c"].statistics().projection_position.at("test.balances") < paid.position);
  at.nodes.network->cut("a", "c");
  at.nodes.run();
  at.nodes.network->heal("a", "c");
  at.nodes.run();
  BOOST_TEST(at.nodes["c"].statistics().projection_position.at("test.balances") == paid.position);
}

BOOST_AUTO_TEST_CASE(past_a_full_link_nothing_is_done) {
  started_three at;
  auto& c = at.nodes["c"];
  at.nodes.network->freeze("b");
  at.nodes.network->capacity = 5;
  std::vector<failure> failures;
  for (int i = 0; i < 20; ++i)
    c.commands().dispatch_and_wait<account_opened>(open_account{std::to_string(i)}, 1h,
                                                   [&](const answer<account_opened>& a) {
                                                     if (a.failed())
                                                       failures.push_back(failure_of(a));
                                                   });
  at.nodes.run();
  BOOST_TEST(failures.size() >= 10U);
  for (const auto& why : failures) {
    BOOST_TEST(why.kind == failure_kind::overloaded);
    BOOST_TEST(why.certainty == certainty::not_done);
  }
  at.nodes.network->thaw("b");
  auto refused = failures.size();
  BOOST_TEST(at.nodes.open_ends() == 0U);
  BOOST_TEST(at.nodes["a"].journal().last_position() == 20 - refused);
}

BOOST_AUTO_TEST_CASE(what_reaches_a_node_that_is_stopping_is_not_done) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  int begun = 0;
  auto works = nodes["b"].commands().subscribe<work>([&](const work&) { ++begun; }).value();
  auto answers = nodes["b"]
                     .queries()
                     .subscribe<ping>([&](const ping&) {
                       ++begun;
                       return pong{};
                     })
                     .value();
  nodes.run();
  // Both are sent before b says that it stops, and are under way when it does.
  nodes.network->freeze("b");
  auto command = correlated(work{1});
  auto query = correlated(ping{1});
  BOOST_TEST(nodes["c"].commands().dispatch(command).has_value());
  BOOST_TEST(nodes["c"].queries().dispatch(query).has_value());
  nodes.run();
  nodes.network->thaw("b");
  nodes.stop("b");
  for (const auto& why : {failure_of(nodes["c"].commands().wait_for<accepted>(command.correlation)),
                          failure_of(nodes["c"].queries().wait_for<pong>(query.correlation))}) {
    BOOST_TEST(why.kind == failure_kind::stopped);
    BOOST_TEST(why.certainty == certainty::not_done);
    BOOST_TEST(why.text.find("node b is stopping") != std::string::npos, why.text);
  }
  BOOST_TEST(begun == 0);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(what_reaches_a_node_with_the_journal_that_is_stopping_is_not_appended) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  test::temporary_directory data;
  nodes.start("a", {}, {.data = data.path()});
  auto& b = nodes.start("b");
  auto works =
      b.commands()
          .subscribe<work>([](const work& w, context& ctx) { ctx.dispatch(work_done{w.number}); })
          .value();
  nodes.run();
  nodes.network->freeze("a");
  auto command = correlated(work{1});
  BOOST_TEST(b.commands().dispatch(command).has_value());
  nodes.run();
  nodes.network->thaw("a");
  nodes.stop("a");
  auto why = failure_of(b.events().wait_for<work_done>(command.correlation));
  BOOST_TEST(why.kind == failure_kind::stopped);
  BOOST_TEST(why.certainty == certainty::not_done);
  auto& again = nodes.start("a", {}, {.data = data.path()});
  BOOST_TEST(again.journal().last_position() == 0U);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_says_so_and_is_not_asked_any_more) {
  started_three at;
  auto& c = at.nodes["c"];
  at.nodes.stop("b");
  auto refused = c.commands().dispatch(open_account{"ann"});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().kind == failure_kind::unreachable);
  at.nodes.start("b", accounts_and_balances());
  BOOST_TEST(!c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
}

BOOST_AUTO_TEST_SUITE_END()
