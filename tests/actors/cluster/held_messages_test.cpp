// What is sent to a component while it moves.

#include "actors/cluster/samples.hpp"
#include "support/calling_operator.hpp"

#include <microlith/actors/internal/cluster/mover.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::calling_operator;
using test::cluster_nodes;
using test::failure_of;
namespace wire = internal::wire;

namespace held_samples {

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

}  // namespace held_samples

using namespace held_samples;

BOOST_AUTO_TEST_SUITE(held_messages)

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

BOOST_AUTO_TEST_CASE(what_is_held_for_a_place_that_does_not_begin_ends_as_unreachable) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& a = at.nodes["a"];
  // Nobody hears that it has begun there.
  at.nodes.network->loses = [](const std::string& from, const std::string&,
                               std::span<const std::byte> message) {
    return from == "c" && is(message, wire::kind::routes);
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
    if (from == "c" && to == "b" && is(message, wire::kind::message))
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

BOOST_AUTO_TEST_SUITE_END()
