#include "actors/cluster/samples.hpp"
#include "support/scripted_journal.hpp"

#include <microlith/actors/internal/cluster/cluster.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::cluster_nodes;
using test::failure_of;

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
    return to == "c" && message.front() == static_cast<std::byte>(internal::wire::kind::page);
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

BOOST_AUTO_TEST_CASE(what_is_published_to_a_node_that_takes_nothing_is_kept_up_to_a_bound) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  auto& a = nodes.start("a");
  std::size_t heard = 0;
  auto listens =
      nodes.start("b").events().subscribe<account_opened>([&](const account_opened&) { ++heard; });
  nodes.run();
  nodes.network->freeze("b");
  nodes.network->capacity = 0;
  constexpr std::size_t size_bytes = 4 << 20;
  constexpr std::size_t kept = internal::max_backlog_bytes / size_bytes - 1;
  for (std::size_t i = 0; i < kept + 3; ++i)
    BOOST_TEST(!a.events()
                    .dispatch_and_wait<account_opened>(account_opened{std::string(size_bytes, 'x')})
                    .failed());
  auto at_b = a.cluster().others.front();
  BOOST_TEST(at_b.waiting_bytes <= internal::max_backlog_bytes);
  BOOST_TEST(a.statistics().dropped_for_nodes == 3U);
  nodes.network->capacity = 100'000;
  nodes.network->thaw("b");
  a.advance(1s);
  BOOST_TEST(heard == kept);
}

BOOST_AUTO_TEST_CASE(events_reach_subscribers_of_every_node_in_the_order_of_the_journal) {
  started_three at;
  std::map<std::string, std::vector<std::uint64_t>> positions;
  std::vector<subscription> listening;
  for (const char* name : {"a", "b", "c"}) {
    // Two on each node; the event crosses each link once.
    for (int i = 0; i < 2; ++i)
      listening.push_back(at.nodes[name].events().subscribe<account_opened>(
          [&, key = name + std::to_string(i)](const account_opened&, context& ctx) {
            positions[key].push_back(ctx.position());
          }));
  }
  at.nodes.run();
  std::map<std::pair<std::string, std::string>, int> events;
  at.nodes.network->on_send = [&](const std::string& from, const std::string& to,
                                  std::span<const std::byte> message) {
    using internal::wire::kind;
    if (message.front() != static_cast<std::byte>(kind::message))
      return;
    auto said = decode<internal::wire::message>(message.subspan(1)).value();
    if ((said.use & internal::wire::use::subscribe) != 0)
      ++events[{from, to}];
  };
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(at.nodes[i % 2 == 0 ? "b" : "c"]
                   .commands()
                   .dispatch(open_account{std::to_string(i)})
                   .has_value());
  at.nodes.run();
  BOOST_TEST(positions.size() == 6U);
  for (const auto& [who, seen] : positions) {
    BOOST_TEST(seen.size() == 10U);
    BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
  }
  BOOST_TEST(events.size() == 2U);
  for (const auto& [link, count] : events)
    BOOST_TEST(count == 10);
}

BOOST_AUTO_TEST_CASE(a_handler_hears_what_its_command_causes_on_other_nodes) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  // c is asked, b does the work, a keeps the journal, and c hears of it in the middle.
  auto outer =
      nodes["c"]
          .commands()
          .subscribe<other_work>([](const other_work& w, context& ctx) {
            ctx.dispatch_and_wait<work_done>(work{w.number})
                .then([](const work_done& done,
                         context& then) { then.dispatch(other_work_done{done.number + 1}); },
                      [](const failure&) {});
          })
          .value();
  auto inner = nodes["b"]
                   .commands()
                   .subscribe<work>(
                       [](const work& w, context& ctx) { ctx.dispatch(work_done{w.number * 10}); })
                   .value();
  nodes.run();
  auto done = nodes["a"].commands().dispatch_and_wait<other_work_done>(other_work{4});
  BOOST_TEST(answered<other_work_done>(done).number == 41);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_handler_hears_what_others_dispatch_in_its_conversation_elsewhere) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  auto& a = nodes.start("a");
  auto waiting = nodes.start("b")
                     .commands()
                     .subscribe<other_work>([](const other_work&, context& ctx) {
                       ctx.wait_for<work_done>(10s).then(
                           [](const work_done& done, context& then) {
                             then.dispatch(other_work_done{done.number + 1});
                           },
                           [](const failure&) {});
                     })
                     .value();
  nodes.run();
  std::int64_t number = 0;
  auto asked = correlated(other_work{1});
  a.commands().dispatch_and_wait<other_work_done>(
      asked, 1h,
      [&](const answer<other_work_done>& got) { number = answered<other_work_done>(got).number; });
  nodes.run();
  BOOST_TEST(number == 0);
  static_cast<void>(a.events().dispatch(correlated_in(asked.correlation, work_done{7})));
  nodes.run();
  BOOST_TEST(number == 8);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(the_failure_of_something_deep_ends_the_wait_at_home) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  auto outer = nodes["c"]
                   .commands()
                   .subscribe<other_work>(
                       [](const other_work& w, context& ctx) { ctx.dispatch(work{w.number}); })
                   .value();
  auto inner = nodes["b"]
                   .commands()
                   .subscribe<work>([](const work&) { throw std::runtime_error{"deep down"}; })
                   .value();
  nodes.run();
  auto ended = nodes["a"].commands().dispatch_and_wait<work_done>(other_work{4});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).text.find("deep down") != std::string::npos);
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
