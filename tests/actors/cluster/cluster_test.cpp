#include "actors/samples.hpp"
#include "support/cluster_nodes.hpp"
#include "support/scripted_journal.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/actors/internal/cluster/wire.hpp>

#include <random>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::cluster_nodes;
using test::failure_of;

namespace cluster_samples {

struct sign_in {
  using message = command<"test.sign_in">;
  std::string who;
  secret<std::string> password;
};
BOOST_DESCRIBE_STRUCT(sign_in, (), (who, password))

/// A type of two programs that do not agree.
namespace older {
struct order {
  using message = command<"test.order">;
  std::string item;
};
BOOST_DESCRIBE_STRUCT(order, (), (item))
}  // namespace older

namespace other {
struct order {
  using message = command<"test.order">;
  std::string item;
  std::int64_t count = 1;
};
BOOST_DESCRIBE_STRUCT(order, (), (item, count))
}  // namespace other

namespace newer {
struct order {
  using message = command<"test.order", 2>;
  using previous = older::order;
  std::string item;
  std::int64_t count = 1;
};
BOOST_DESCRIBE_STRUCT(order, (), (item, count))
}  // namespace newer

namespace older {
inline newer::order upcast(order old) {
  return {old.item, 7};
}
}  // namespace older

}  // namespace cluster_samples

namespace {

using namespace cluster_samples;

/// Rows of the accounts, and a query for one of them.
struct balance_row {
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(balance_row, (), (balance))
constexpr table<std::string, balance_row> balances_table{"balances"};

component balances() {
  projection rows{"test.balances", 1};
  rows.keeps(balances_table);
  rows.on<deposited>([](const deposited& e, write_transaction& t) {
    balances_table.put(t, e.owner, {e.balance});
  });
  component hosted{"test.balances"};
  hosted.projects(std::move(rows));
  hosted.answers<ping>("test.balances", [](const ping&, const read_transaction& rows) {
    auto row = balances_table.get(rows, "ann");
    return pong{row ? row->balance : -1};
  });
  return hosted;
}

const cluster_nodes::placement three{
    {"a", {"journal"}}, {"b", {"test.accounts"}}, {"c", {"test.balances"}}};

std::vector<component> all() {
  return {accounts(), balances()};
}

/// Three nodes with a directory for the rows.
struct started_three {
  started_three() {
    nodes.start("a", all());
    nodes.start("b", all());
    nodes.start("c", all(), {.data = data.path()});
  }
  test::temporary_directory data;
  cluster_nodes nodes{three};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster)

BOOST_AUTO_TEST_CASE(nobody_could_and_somebody_would_are_told_apart) {
  cluster_nodes nodes{three};
  auto& a = nodes.start("a", all());
  auto nobody = a.commands().dispatch(work{1});
  BOOST_REQUIRE(!nobody.has_value());
  BOOST_TEST(nobody.error().kind == failure_kind::no_handler);
  auto absent = a.commands().dispatch(open_account{"ann"});
  BOOST_REQUIRE(!absent.has_value());
  BOOST_TEST(absent.error().kind == failure_kind::unreachable);
  BOOST_TEST(absent.error().certainty == certainty::not_done);
  BOOST_TEST(absent.error().text.find("node b") != std::string::npos);
  BOOST_TEST(absent.error().text.find("test.accounts") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_order_of_starting_does_not_matter) {
  test::temporary_directory data;
  cluster_nodes nodes{three};
  auto& c = nodes.start("c", all(), {.data = data.path()});
  // Its component waits for the journal.
  auto early = c.queries().ask(ping{});
  BOOST_TEST(failure_of(early).kind == failure_kind::unreachable);
  BOOST_TEST(failure_of(early).text.find("node a") != std::string::npos);
  BOOST_TEST(c.cluster().waiting == std::vector<std::string>{"test.balances"},
             boost::test_tools::per_element());
  auto& b = nodes.start("b", all());
  BOOST_TEST(failure_of(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"})).kind ==
             failure_kind::unreachable);
  nodes.start("a", all());
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
  at.nodes.start("b", all());
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

BOOST_AUTO_TEST_CASE(somebody_elses_event_is_a_conflict_also_from_afar) {
  auto script = std::make_shared<test::journal_script>();
  cluster_nodes nodes{three};
  nodes.start("a", all(), {.wrap_journal = test::scripted(script)});
  auto& b = nodes.start("b", all());
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

BOOST_AUTO_TEST_CASE(a_secret_crosses_no_link_that_others_may_read) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.gate"}}}};
  nodes.text.replace(nodes.text.find("127.0.0.1:4102"), 14, "10.0.0.7:41020");
  component gate{"test.gate"};
  gate.serves<sign_in>([](const sign_in&) {}).serves<work>([](const work&) {});
  auto start = [&](const std::string& name, bool insecure) {
    return node::start({.scheduler = scheduling::deterministic,
                        .cluster = cluster_options{.file = "cluster.toml",
                                                   .node = name,
                                                   .insecure = insecure,
                                                   .text = nodes.text,
                                                   .wiring = nodes.network}},
                       {gate});
  };
  auto refused = start("b", false);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().text.find("--insecure") != std::string::npos);
  auto b = start("b", true).value();
  auto a = start("a", true).value();
  a.run();
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(work{1}).failed());
  auto ended = a.commands().dispatch_and_wait<accepted>(sign_in{"ann", "hush"});
  BOOST_TEST(failure_of(ended).text.find("holds a secret") != std::string::npos);
  BOOST_TEST(failure_of(ended).certainty == certainty::not_done);
}

BOOST_AUTO_TEST_CASE(an_older_version_is_read_through_its_upcaster) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.shop"}}}};
  std::int64_t count = 0;
  component old_shop{"test.shop"};
  old_shop.serves<older::order>([](const older::order&) {});
  component new_shop{"test.shop"};
  new_shop.serves<newer::order>([&](const newer::order& o) { count = o.count; });
  auto& a = nodes.start("a", {old_shop});
  auto& b = nodes.start("b", {new_shop});
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(older::order{"tea"}).failed());
  BOOST_TEST(count == 7);
  static_cast<void>(b);
}

BOOST_AUTO_TEST_CASE(a_type_that_differs_is_refused_alone_and_the_difference_named) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.shop"}}}};
  component one{"test.shop"};
  one.serves<older::order>([](const older::order&) {}).serves<work>([](const work&) {});
  component another{"test.shop"};
  another.serves<other::order>([](const other::order&) {}).serves<work>([](const work&) {});
  auto& a = nodes.start("a", {one});
  nodes.start("b", {another});
  auto refused = a.commands().dispatch_and_wait<accepted>(older::order{"tea"});
  BOOST_TEST(failure_of(refused).certainty == certainty::not_done);
  BOOST_TEST(failure_of(refused).text.find("test.order") != std::string::npos);
  BOOST_TEST(failure_of(refused).text.find("added count: i64") != std::string::npos);
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(work{1}).failed());
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_says_so_and_is_not_asked_any_more) {
  started_three at;
  auto& c = at.nodes["c"];
  at.nodes.stop("b");
  auto refused = c.commands().dispatch(open_account{"ann"});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().kind == failure_kind::unreachable);
  at.nodes.start("b", all());
  BOOST_TEST(!c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
}

BOOST_AUTO_TEST_CASE(frames_that_mean_nothing_harm_nobody) {
  started_three at;
  auto& c = at.nodes["c"];
  std::vector<std::pair<std::string, std::vector<std::byte>>> sent;
  at.nodes.network->on_send = [&](const std::string& from, const std::string& to,
                                  std::span<const std::byte> message) {
    if (to == "a" && sent.size() < 500)
      sent.emplace_back(from, std::vector<std::byte>(message.begin(), message.end()));
  };
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(
        c.commands().dispatch_and_wait<account_opened>(open_account{std::to_string(i)}));
    static_cast<void>(c.queries().ask(ping{}));
  }
  at.nodes.network->on_send = nullptr;
  BOOST_REQUIRE(!sent.empty());
  std::mt19937 random{7};
  for (int round = 0; round < 3'000; ++round) {
    auto [from, bytes] = sent[random() % sent.size()];
    switch (random() % 3) {
      case 0:
        bytes.resize(random() % (bytes.size() + 1));
        break;
      case 1:
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        break;
      default:
        for (auto& each : bytes)
          each = static_cast<std::byte>(random());
    }
    // Not a kill, nor what the journal would take as an event of its own.
    if (bytes.empty() || bytes.front() == static_cast<std::byte>(internal::wire::kind::append))
      continue;
    at.nodes.network->inject(from, "a", std::move(bytes));
    if (round % 100 == 0)
      at.nodes.run();
  }
  at.nodes.run();
  BOOST_TEST(at.nodes["a"].journal().last_position() >= 5U);
  auto read = at.nodes["a"].journal().read(1, {}, [](const record_view&) { return true; });
  BOOST_TEST(read.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
