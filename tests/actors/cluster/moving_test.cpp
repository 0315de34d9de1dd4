#include "actors/cluster/samples.hpp"
#include "support/calling_operator.hpp"

#include <microlith/actors/internal/cluster/mover.hpp>
#include <microlith/actors/internal/cluster/placement.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::calling_operator;
using test::cluster_nodes;
using test::failure_of;
namespace wire = internal::wire;

namespace moving_samples {

struct visit {
  using message = command<"test.visit">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(visit, (), (number))

struct visited {
  using message = event<"test.visited">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(visited, (), (number))

}  // namespace moving_samples

namespace {

using namespace moving_samples;

const std::vector<std::string> on_disk{"a", "b", "c"};

std::vector<std::string> serving(cluster_nodes& nodes, const std::string& name) {
  return nodes[name].cluster().serves;
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

BOOST_AUTO_TEST_CASE(what_is_dispatched_while_it_moves_is_done_once_and_in_order) {
  // The move begins after so many steps of what was dispatched.
  for (int head_start : {0, 1, 3, 10, 30, 100}) {
    started_three at{on_disk};
    calling_operator tool{at.nodes};
    auto& c = at.nodes["c"];
    static_cast<void>(c.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
    at.nodes.run();
    std::map<std::string, std::vector<std::int64_t>> balances_of;
    std::size_t ended = 0;
    auto pay = [&](const std::string& from) {
      at.nodes[from].commands().dispatch_and_wait<deposited>(
          deposit{"ann", 1}, 5s, [&, from](const answer<deposited>& a) {
            ++ended;
            balances_of[from].push_back(answered<deposited>(a).balance);
          });
    };
    std::size_t sent = 0;
    auto some_more = [&] {
      for (const char* from : {"a", "b", "c"}) {
        pay(from);
        ++sent;
      }
    };
    some_more();
    for (int i = 0; i < head_start; ++i)
      at.nodes.network->step();
    tool.begin_move("test.accounts", "c");
    for (int i = 0; i < 400 && !tool.answer; ++i) {
      if (i % 4 == 0)
        some_more();
      if (!at.nodes.network->step())
        at.nodes.network->jump();
    }
    BOOST_TEST(tool.end_move() == "");
    some_more();
    at.nodes.run();
    BOOST_TEST(ended == sent);
    BOOST_TEST(at.nodes["c"].cluster().serves.size() > 1U);
    for (const auto& [from, balances] : balances_of)
      BOOST_TEST(std::is_sorted(balances.begin(), balances.end()), "out of order from " << from);
    auto paid = c.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
    BOOST_TEST(answered<deposited>(paid).balance == static_cast<std::int64_t>(sent) + 1);
    BOOST_TEST(at.nodes.open_ends() == 0U);
  }
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
  // Waits, in the middle of its work, for what nobody answers.
  component slow{"test.slow"};
  slow.serves<work>([](const work&, context& ctx) {
    ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
  });
  slow.serves<other_work>([](const other_work&) {});
  for (const char* name : {"a", "b", "c"})
    nodes.start(name, {slow});
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
  component slow{"test.slow"};
  slow.serves<work>([](const work&, context& ctx) {
    ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
  });
  slow.serves<other_work>([](const other_work&) {});
  for (const char* name : {"a", "b", "c"})
    nodes.start(name, {slow});
  calling_operator tool{nodes};
  bool holds = false;
  nodes.network->on_send = [&](const std::string& from, const std::string&,
                               std::span<const std::byte> message) {
    holds = holds ||
            (from == "c" && message.front() == static_cast<std::byte>(wire::kind::step_report));
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

BOOST_AUTO_TEST_CASE(what_is_held_for_a_place_that_does_not_begin_ends_as_unreachable) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& a = at.nodes["a"];
  // Nobody hears that it has begun there.
  at.nodes.network->loses = [](const std::string& from, const std::string&,
                               std::span<const std::byte> message) {
    return from == "c" && message.front() == static_cast<std::byte>(wire::kind::routes);
  };
  tool.begin_move("test.accounts", "c");
  BOOST_TEST(tool.end_move() == "");
  std::optional<failure> why;
  a.commands().dispatch_and_wait<account_opened>(
      open_account{"ann"}, 1h, [&](const answer<account_opened>& got) { why = failure_of(got); });
  at.nodes.run();
  BOOST_TEST(!why.has_value());
  BOOST_TEST(a.cluster().held == 1U);
  a.advance(internal::move_step_limit);
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(why->kind == failure_kind::unreachable);
  BOOST_TEST(why->certainty == certainty::not_done);
  BOOST_TEST(at.nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_component_waits_for_comes_back_to_it_while_it_moves) {
  // b asks c, which asks b, which answers: no end of the first without an end of the last.
  component there{"test.there"};
  there.serves<other_work>(
      [](const other_work& w, context& ctx) { ctx.dispatch(visit{w.number}); });
  component here{"test.here"};
  here.serves<work>([](const work& w, context& ctx) {
    ctx.dispatch_and_wait<visited>(other_work{w.number})
        .then([](const visited& v, context& then) { then.dispatch(work_done{v.number}); },
              [](const failure& why) { throw std::runtime_error{why.text}; });
  });
  here.serves<visit>([](const visit& v, context& ctx) { ctx.dispatch(visited{v.number}); });
  for (int head_start = 0; head_start < 40; head_start += 3) {
    cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.here"}}, {"c", {"test.there"}}}};
    for (const char* name : {"a", "b", "c"})
      nodes.start(name, {here, there});
    calling_operator tool{nodes};
    std::int64_t done = 0;
    std::int64_t sent = 0;
    auto begin = [&] {
      nodes["a"].commands().dispatch_and_wait<work_done>(
          work{++sent}, 10s,
          [&](const answer<work_done>& a) { done += answered<work_done>(a).number; });
    };
    begin();
    for (int i = 0; i < head_start; ++i)
      nodes.network->step();
    // To the node that it is asked from, and away from there.
    for (const char* to : {"c", "a", "b"}) {
      tool.begin_move("test.here", to);
      for (int i = 0; i < 200 && !tool.answer; ++i) {
        if (i % 20 == 0)
          begin();
        if (!nodes.network->step())
          nodes.network->jump();
      }
      BOOST_TEST(tool.end_move() == "");
    }
    nodes.run();
    BOOST_TEST(done == sent * (sent + 1) / 2);
    BOOST_TEST(nodes.open_ends() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_was_under_way_to_the_old_place_is_sent_on) {
  component here{"test.here"};
  here.serves<visit>([](const visit& v, context& ctx) { ctx.dispatch(visited{v.number}); });
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.here"}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name, {here});
  calling_operator tool{nodes};
  std::optional<wire::message> said;
  nodes.network->on_send = [&](const std::string& from, const std::string& to,
                               std::span<const std::byte> message) {
    if (from == "c" && to == "b" && message.front() == static_cast<std::byte>(wire::kind::message))
      said = decode<wire::message>(message.subspan(1)).value();
  };
  auto visiting = nodes["c"].commands().dispatch_and_wait<visited>(visit{1});
  BOOST_TEST(!visiting.failed());
  nodes.network->on_send = nullptr;
  BOOST_REQUIRE(said.has_value());
  BOOST_TEST(tool.move("test.here", "a") == "");
  // As if c had not heard of it then.
  said->envelope.id = said->envelope.root = message_id::make();
  auto before = nodes["a"].journal().last_position();
  nodes.network->inject("c", "b", wire::frame(wire::kind::message, *said));
  nodes.run();
  BOOST_TEST(nodes["a"].journal().last_position() == before + 1);
  BOOST_TEST(nodes.open_ends() == 0U);
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
      if (message.front() == static_cast<std::byte>(wire::kind::step_report))
        has_left = has_left || decode<wire::move_step>(message.subspan(1)).value().what ==
                                   static_cast<std::uint8_t>(wire::step::left);
      if (message.front() != static_cast<std::byte>(wire::kind::append))
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
