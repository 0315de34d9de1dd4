#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

namespace {

// A decider with everything that can go wrong or be unusual.

struct poke {
  using message = microlith::command<"test.poke">;
  std::string key;
  std::string how;
};
BOOST_DESCRIBE_STRUCT(poke, (), (key, how))

struct poked {
  using message = microlith::event<"test.poked">;
  std::string how;
};
BOOST_DESCRIBE_STRUCT(poked, (), (how))

struct noted {
  using message = microlith::event<"test.noted">;
  std::string key;
  std::string who;
};
BOOST_DESCRIBE_STRUCT(noted, (), (key, who))

struct shown {
  using message = microlith::rejection<"test.shown">;
  std::int64_t pokes = 0;
};
BOOST_DESCRIBE_STRUCT(shown, (), (pokes))

stream_id stream_of(const noted& event) {
  return {"test.notes", event.key};
}

struct fragile {
  static constexpr std::string_view stream = "test.fragile";
  std::int64_t pokes = 0;
};
BOOST_DESCRIBE_STRUCT(fragile, (), (pokes))

std::string stream_key(const poke& c) {
  if (c.how == "throw in stream_key")
    throw std::runtime_error{"no key"};
  return c.key;
}

// Several events, another stream's event, a rejection that shows the state, or nothing.
std::tuple<std::vector<poked>, std::optional<noted>, std::optional<shown>> decide(
    const fragile& state, const poke& c, const decision_info& info) {
  std::vector<poked> none;
  if (c.how == "throw in decide")
    throw std::runtime_error{"undecided"};
  if (c.how == "nothing")
    return {none, std::nullopt, std::nullopt};
  if (c.how == "note")
    return {none, noted{c.key, info.who.subject}, std::nullopt};
  if (c.how == "show")
    return {none, std::nullopt, shown{state.pokes}};
  if (c.how == "count")
    return {std::vector{poked{std::to_string(state.pokes)}}, std::nullopt, std::nullopt};
  return {std::vector{poked{"first"}, poked{c.how}}, std::nullopt, std::nullopt};
}

fragile evolve(fragile state, const poked& event) {
  ++state.pokes;
  if (event.how == "throw in evolve")
    throw std::runtime_error{"cannot evolve"};
  return state;
}

component fragiles() {
  component hosted{"test.fragiles"};
  hosted.handles<fragile, poke>();
  return hosted;
}

node_options with_journal(const std::shared_ptr<test::journal_script>& script) {
  return {.scheduler = scheduling::deterministic, .wrap_journal = test::scripted(script)};
}

// Answers in the order in which they came.
template <class... Ts>
auto into(std::vector<answer<Ts...>>& answers) {
  return [&answers](const answer<Ts...>& a) { answers.push_back(a); };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(decider)

BOOST_AUTO_TEST_CASE(commands_of_one_key_are_decided_on_what_came_before) {
  running_node node{{accounts()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  for (std::int64_t i = 1; i <= 3; ++i) {
    auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 10});
    BOOST_TEST(answered<deposited>(done).balance == 10 * i);
  }
  BOOST_TEST(node->journal().stream_version("test.account/ann").value() == 4U);
}

BOOST_AUTO_TEST_CASE(keys_do_not_know_each_other) {
  running_node node{{accounts()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  auto other = node.commands().dispatch_and_wait<deposited, account_refused>(deposit{"bob", 1});
  BOOST_TEST(answered<account_refused>(other).reason == "not open");
}

BOOST_AUTO_TEST_CASE(an_idle_state_is_dropped_and_loaded_again) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts({.idle = 2s})}, with_journal(script)};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 7}).failed());
  auto loaded = script->stream_reads;
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 7}).failed());
  BOOST_TEST(script->stream_reads == loaded);
  node->advance(2s);
  node->advance(2s);
  auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 7});
  BOOST_TEST(answered<deposited>(done).balance == 21);
  BOOST_TEST(script->stream_reads == loaded + 1);
}

BOOST_AUTO_TEST_CASE(a_state_that_is_used_stays) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts({.idle = 2s})}, with_journal(script)};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  auto loaded = script->stream_reads;
  for (int i = 0; i < 10; ++i) {
    node->advance(1s);
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  }
  BOOST_TEST(script->stream_reads == loaded);
}

BOOST_AUTO_TEST_CASE(past_the_bound_of_states_the_one_idle_the_longest_is_dropped) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts({.shards = 1, .max_states_per_shard = 2})}, with_journal(script)};
  auto deposits = [&](const std::string& owner) {
    auto before = script->stream_reads;
    BOOST_TEST(!node.commands().dispatch_and_wait<deposited>(deposit{owner, 1}).failed());
    return script->stream_reads != before;
  };
  for (const char* owner : {"a", "b", "c"})
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{owner}).failed());
  BOOST_TEST(!deposits("c"));
  BOOST_TEST(!deposits("b"));
  BOOST_TEST(deposits("a"));
  BOOST_TEST(deposits("c"));
  BOOST_TEST(!deposits("a"));
}

BOOST_AUTO_TEST_CASE(decide_that_throws_fails_its_command_and_nothing_else) {
  running_node node{{fragiles()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(poke{"k", "count"}).failed());
  auto why = failure_of(node.commands().dispatch_and_wait<accepted>(poke{"k", "throw in decide"}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("undecided") != std::string::npos);
  auto next = node.commands().dispatch_and_wait<poked>(poke{"k", "count"});
  BOOST_TEST(answered<poked>(next).how == "1");
}

BOOST_AUTO_TEST_CASE(evolve_that_throws_leaves_no_event_and_a_true_state) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{fragiles()}, with_journal(script)};
  std::vector<answer<accepted>> answers;
  for (const char* how : {"count", "throw in evolve", "count", "count"})
    node.commands().dispatch_and_wait<accepted>(poke{"k", how}, 5s, into(answers));
  node->run();
  BOOST_REQUIRE(answers.size() == 4U);
  std::size_t failed = 0;
  for (const auto& each : answers)
    failed += each.failed() ? 1 : 0;
  BOOST_TEST(failed == 1U);
  BOOST_TEST(node->journal().last_position() == 3U);
  auto next = node.commands().dispatch_and_wait<poked>(poke{"k", "count"});
  BOOST_TEST(answered<poked>(next).how == "3");
}

BOOST_AUTO_TEST_CASE(a_command_past_its_deadline_is_not_decided) {
  running_node node{{accounts()}};
  std::optional<answer<accepted>> ended;
  node.commands().dispatch_and_wait<accepted>(open_account{"ann"}, 0ms,
                                              [&](const answer<accepted>& a) { ended = a; });
  node->run();
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(failure_of(*ended).kind == failure_kind::timeout);
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(an_event_that_cannot_be_evolved_takes_those_before_it_along) {
  running_node node{{fragiles()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(poke{"k", "count"}).failed());
  BOOST_TEST(node.commands().dispatch_and_wait<accepted>(poke{"k", "throw in evolve"}).failed());
  BOOST_TEST(answered<shown>(node.commands().dispatch_and_wait<shown>(poke{"k", "show"})).pokes ==
             1);
  BOOST_TEST(node->journal().last_position() == 1U);
}

BOOST_AUTO_TEST_CASE(a_command_that_was_carried_out_before_leaves_the_state_as_it_is) {
  running_node node{{fragiles()}};
  auto command = correlated(poke{"k", "count"});
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(command).failed());
  BOOST_TEST(answered<shown>(node.commands().dispatch_and_wait<shown>(poke{"k", "show"})).pokes ==
             1);
}

BOOST_AUTO_TEST_CASE(a_command_without_a_key_fails) {
  running_node node{{fragiles()}};
  auto why =
      failure_of(node.commands().dispatch_and_wait<accepted>(poke{"k", "throw in stream_key"}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(poke{"k", "count"}).failed());
}

BOOST_AUTO_TEST_CASE(a_decision_may_hold_several_events_or_none) {
  running_node node{{fragiles()}};
  auto several = node.commands().dispatch_and_wait<accepted>(poke{"k", "twice"});
  BOOST_TEST(answered<accepted>(several).position == 2U);
  auto none = node.commands().dispatch_and_wait<poked, accepted>(poke{"k", "nothing"});
  BOOST_TEST(answered<accepted>(none).position == 0U);
  BOOST_TEST(node->journal().stream_version("test.fragile/k").value() == 2U);
}

BOOST_AUTO_TEST_CASE(an_event_goes_to_the_stream_that_it_names_and_not_to_the_deciders) {
  running_node node{{fragiles()}};
  auto done = node.commands().dispatch_and_wait<noted>(poke{"k", "note"});
  BOOST_TEST(!done.failed());
  BOOST_TEST(node->journal().stream_version("test.notes/k").value() == 1U);
  BOOST_TEST(node->journal().stream_version("test.fragile/k").value() == 0U);
}

BOOST_AUTO_TEST_CASE(the_decider_knows_who_asks) {
  running_node node{{fragiles()}};
  auto done =
      node.commands().dispatch_and_wait<noted>(correlated(poke{"k", "note"}, {.subject = "ann"}));
  BOOST_TEST(answered<noted>(done).who == "ann");
}

BOOST_AUTO_TEST_CASE(commands_of_several_types_keep_their_order_on_their_way_to_one_shard) {
  running_node node{{accounts({.shards = 1})}};
  std::vector<std::string> heard;
  auto listener = node.events().subscribe<deposited>(
      [&](const deposited& e) { heard.push_back(e.owner + " " + std::to_string(e.balance)); });
  BOOST_REQUIRE(node.commands().dispatch(open_account{"a"}));
  node->run();
  // All three wait together when the bus has its turn.
  BOOST_REQUIRE(node.commands().dispatch(deposit{"a", 1}));
  BOOST_REQUIRE(node.commands().dispatch(open_account{"b"}));
  BOOST_REQUIRE(node.commands().dispatch(deposit{"b", 2}));
  node->run();
  BOOST_TEST(heard == (std::vector<std::string>{"a 1", "b 2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(deposits_of_several_threads_are_all_counted_in_order) {
  running_node node{{accounts({.shards = 4})}, test::on_threads()};
  constexpr std::int64_t keys = 4;
  constexpr std::int64_t each = 500;
  std::vector<test::seen<std::int64_t>> balances(keys);
  auto listener = node.events().subscribe<deposited>([&](const deposited& e) {
    balances[static_cast<std::size_t>(std::stoi(e.owner))].add(e.balance);
  });
  {
    std::vector<std::jthread> threads;
    for (std::int64_t key = 0; key < keys; ++key) {
      threads.emplace_back([&, owner = std::to_string(key)] {
        static_cast<void>(node.commands().dispatch(open_account{owner}));
        for (std::int64_t i = 0; i < each; ++i) {
          while (!node.commands().dispatch(deposit{owner, 1}))
            std::this_thread::yield();
        }
      });
    }
  }
  for (auto& all : balances) {
    test::eventually([&] { return all.count() == each; }, "all deposits have been heard");
    auto seen = all.all();
    BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
    BOOST_TEST(seen.back() == each);
  }
}

BOOST_AUTO_TEST_SUITE_END()
