// A component that moves, with all that it has, or says why not.

#include "actors/cluster/samples.hpp"
#include "support/calling_operator.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::calling_operator;
using test::cluster_nodes;
namespace wire = internal::wire;

namespace {

/// Waits, in the middle of its work, for what nobody answers.
component slow() {
  component made{"test.slow"};
  made.serves<work>([](const work&, context& ctx) {
    ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
  });
  made.serves<other_work>([](const other_work&) {});
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(moving)

BOOST_AUTO_TEST_CASE(a_component_moves_and_goes_on_where_it_was) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& c = at.nodes["c"];
  static_cast<void>(c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  static_cast<void>(c.commands().dispatch_and_wait<deposited>(deposit{"ann", 2}));
  BOOST_TEST(tool.move("test.accounts", "c") == "");
  BOOST_TEST(serving(at.nodes, "b").empty());
  for (const char* name : {"a", "b", "c"}) {
    auto paid = at.nodes[name].commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
    BOOST_REQUIRE(!paid.failed());
  }
  auto paid = at.nodes["b"].commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(paid).balance == 6);
  auto now = tool.status("a");
  auto place = std::find_if(now.places.begin(), now.places.end(),
                            [](const auto& each) { return each.name == "test.accounts"; });
  BOOST_REQUIRE((place != now.places.end()));
  BOOST_TEST(place->node == "c");
  BOOST_TEST(place->epoch == 1U);
  BOOST_TEST(now.held == 0U);
  // There and back, and to the node that has the journal.
  BOOST_TEST(tool.move("test.accounts", "b") == "");
  BOOST_TEST(tool.move("test.accounts", "a") == "");
  auto last = at.nodes["b"].commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(last).balance == 7);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(two_persons_ask_side_by_side) {
  started_three at{on_disk};
  calling_operator one{at.nodes};
  calling_operator another{at.nodes, "operator#2"};
  one.begin_move("test.accounts", "c");
  BOOST_TEST(another.status("b").node == "b");
  BOOST_TEST(one.end_move() == "");
  BOOST_TEST(another.move("test.accounts", "b") == "");
  BOOST_TEST(!one.answer.has_value());
}

BOOST_AUTO_TEST_CASE(a_projection_catches_up_before_its_queries_move) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& a = at.nodes["a"];
  static_cast<void>(a.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  std::uint64_t position = 0;
  for (int i = 0; i < 50; ++i)
    position = a.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}).position;
  std::vector<std::int64_t> answers;
  auto ask = [&] {
    a.queries().ask(ping{}, {.after = position}, [&](const answer<pong>& got) {
      answers.push_back(answered<pong>(got).number);
    });
  };
  tool.begin_move("test.balances", "b");
  std::size_t asked = 0;
  // No time passes while there is something to do.
  for (int i = 0; !tool.answer; ++i) {
    if (i < 100 || i % 50 == 0) {
      ask();
      ++asked;
    }
    if (!at.nodes.network->step())
      BOOST_REQUIRE(at.nodes.network->jump());
  }
  BOOST_TEST(tool.end_move() == "");
  BOOST_TEST(answers.size() == asked);
  BOOST_TEST(answers == std::vector<std::int64_t>(asked, 50), boost::test_tools::per_element());
  BOOST_TEST(serving(at.nodes, "c").empty());
  BOOST_TEST((at.nodes["c"].rows("test.balances") == nullptr));
  BOOST_REQUIRE((at.nodes["b"].rows("test.balances") != nullptr));
  BOOST_TEST(tool.move("test.balances", "c") == "");
  BOOST_TEST(answered<pong>(a.queries().ask(ping{}, {.after = position})).number == 50);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_moved_says_why) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto says = [&](const std::string& component, const std::string& to, const std::string& part) {
    auto why = tool.move(component, to);
    BOOST_TEST(why.find(part) != std::string::npos, why);
  };
  says("journal", "b", "the journal stays where it is");
  says("test.nothing", "b", "no component 'test.nothing'; there is: test.accounts, test.balances");
  says("test.accounts", "z", "no node 'z'; it has: a, b, c");
  BOOST_TEST(tool.move("test.accounts", "b") == "");
  BOOST_TEST(tool.move("test.accounts", "c", "b").find("ask node a") != std::string::npos);
  at.nodes.stop("c");
  says("test.accounts", "c", "node c is not there");
  says("test.balances", "b", "node c is not there");
}

BOOST_AUTO_TEST_CASE(what_does_not_come_to_an_end_keeps_its_place) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.slow"}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name, {slow()});
  calling_operator tool{nodes};
  auto& a = nodes["a"];
  int ended = 0;
  a.commands().dispatch_and_wait<accepted>(work{1}, 1h, [&](const auto&) { ++ended; });
  nodes.run();
  tool.begin_move("test.slow", "c");
  int others = 0;
  for (int i = 0; i < 10; ++i) {
    nodes.network->step();
    a.commands().dispatch_and_wait<accepted>(
        other_work{i}, 5s, [&](const answer<accepted>& got) { others += got.failed() ? 100 : 1; });
  }
  auto why = tool.end_move();
  BOOST_TEST(why.find("All is as it was") != std::string::npos, why);
  BOOST_TEST(why.find("(on node a)") != std::string::npos, why);
  BOOST_TEST(others == 10);
  BOOST_TEST(ended == 0);
  BOOST_TEST(!nodes["c"].commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  a.advance(20s);
  BOOST_TEST(ended == 1);
  BOOST_TEST(tool.move("test.slow", "c") == "");
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_cut_off_when_a_move_is_given_up_hears_of_it) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.slow"}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name, {slow()});
  calling_operator tool{nodes};
  bool holds = false;
  nodes.network->on_send = [&](const std::string& from, const std::string&,
                               std::span<const std::byte> message) {
    holds = holds || (from == "c" && is(message, wire::kind::step_report));
  };
  static_cast<void>(nodes["a"].commands().dispatch(work{1}));
  nodes.run();
  tool.begin_move("test.slow", "a");
  while (!holds)
    BOOST_REQUIRE(nodes.network->step() || nodes.network->jump());
  nodes.run();
  nodes.network->cut("a", "c");
  auto why = tool.end_move();
  BOOST_TEST(why.find("All is as it was") != std::string::npos, why);
  nodes.network->heal("a", "c");
  nodes.run();
  BOOST_TEST(!nodes["c"].commands().dispatch_and_wait<accepted>(other_work{1}).failed());
}

BOOST_AUTO_TEST_CASE(what_listens_appends_nothing_any_more_once_it_has_left) {
  component listening{"test.listening"};
  listening.on<account_opened>(
      [](const account_opened&, context& ctx) { ctx.dispatch(work_done{1}); });
  // The move begins after so many steps of what is heard.
  for (int head_start = 0; head_start < 40; ++head_start) {
    cluster_nodes nodes{
        {{"a", {"journal", "test.accounts"}}, {"b", {"test.listening"}}, {"c", {}}}};
    for (const char* name : {"a", "b", "c"})
      nodes.start(name, {accounts(), listening});
    calling_operator tool{nodes};
    bool has_left = false;
    std::optional<wire::append> appended;
    nodes.network->on_send = [&](const std::string& from, const std::string&,
                                 std::span<const std::byte> message) {
      if (from != "b")
        return;
      has_left = has_left || is_left(message);
      if (!is(message, wire::kind::append))
        return;
      appended = decode<wire::append>(message.subspan(1)).value();
      BOOST_TEST(!has_left, "an append after it has left, " << head_start << " steps");
    };
    tool.begin_move("test.listening", "c");
    for (int i = 0; i < head_start; ++i)
      nodes.network->step();
    for (int i = 0; i < 5; ++i)
      BOOST_TEST(nodes["a"].commands().dispatch(open_account{std::to_string(i)}).has_value());
    BOOST_TEST(tool.end_move() == "");
    BOOST_TEST(has_left);
    nodes.network->on_send = nullptr;
    if (!appended)
      continue;
    // As if it had not heard of the move.
    BOOST_TEST(appended->component == "test.listening");
    auto before = nodes["a"].journal().last_position();
    appended->id = {};
    appended->events.front().envelope.id = message_id::make();
    nodes.network->inject("b", "a", wire::frame(wire::kind::append, *appended));
    nodes.run();
    BOOST_TEST(nodes["a"].journal().last_position() == before);
  }
}

BOOST_AUTO_TEST_CASE(what_a_durable_subscription_remembers_moves_with_it) {
  test::temporary_directory data;
  cluster_nodes nodes{{{"a", {"journal", "test.accounts"}}, {"b", {"test.letters"}}, {"c", {}}}};
  std::map<std::string, int> letters;
  bool fails = true;
  component mailing{"test.letters"};
  mailing.durably_on<account_opened>(
      "test.letters", [](const account_opened& e) { return e.owner; },
      [&](const account_opened& e, context& ctx) {
        if (fails && e.owner == "eve")
          throw std::runtime_error{"no such address"};
        ++letters[e.owner];
        ctx.dispatch(work_done{static_cast<std::int64_t>(letters.size())});
      },
      {.retries = {.times = 0}});
  auto start = [&] {
    nodes.start("a", {accounts(), mailing}, {.data = data.path() / "a"});
    // These have no directory: nothing is kept there.
    nodes.start("b", {accounts(), mailing});
    nodes.start("c", {accounts(), mailing});
  };
  auto open = [&](const std::string& owner) {
    BOOST_TEST(
        !nodes["c"].commands().dispatch_and_wait<account_opened>(open_account{owner}).failed());
    nodes["a"].advance(1s);
  };
  auto parked_on = [&](const std::string& name) {
    const auto* state = nodes[name].subscription_state("test.letters");
    return state == nullptr ? std::uint64_t{99} : state->parked_keys();
  };
  start();
  open("ann");
  open("eve");
  BOOST_TEST(parked_on("b") == 1U);
  {
    calling_operator tool{nodes};
    for (const char* to : {"c", "a", "b", "c"}) {
      BOOST_TEST(tool.move("test.letters", to) == "");
      open(std::string{"to "} + to + std::to_string(letters.size()));
      BOOST_TEST(parked_on(to) == 1U);
    }
  }
  BOOST_TEST(parked_on("b") == 99U);
  for (const char* name : {"a", "b", "c"})
    nodes.stop(name);
  start();
  nodes["a"].advance(1s);
  fails = false;
  BOOST_TEST(nodes["c"].replay_parked("test.letters", "eve").has_value());
  nodes["a"].advance(1s);
  BOOST_TEST(parked_on("c") == 0U);
  BOOST_TEST(letters.size() == 6U);
  for (const auto& [owner, count] : letters)
    BOOST_TEST(count == 1, owner << " has " << count << " letters");
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
