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

// Several events, another stream's events, or nothing.
std::tuple<std::vector<poked>, std::optional<noted>> decide(const fragile& state, const poke& c,
                                                            const decision_info& info) {
  if (c.how == "throw in decide")
    throw std::runtime_error{"undecided"};
  if (c.how == "nothing")
    return {std::vector<poked>{}, std::nullopt};
  if (c.how == "note")
    return {std::vector<poked>{}, noted{c.key, info.who.subject}};
  if (c.how == "count")
    return {{poked{std::to_string(state.pokes)}}, std::nullopt};
  return {{poked{c.how}, poked{"again"}}, std::nullopt};
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

using opening = answer<account_opened, account_refused>;

void open(running_node& node, const std::string& owner, std::vector<opening>& answers) {
  node.commands().dispatch_and_wait<account_opened, account_refused>(open_account{owner}, 5s,
                                                                     into(answers));
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

BOOST_AUTO_TEST_CASE(many_commands_on_one_key_share_a_commit) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  BOOST_TEST(node.commands().dispatch(open_account{"ann"}).has_value());
  std::vector<answer<deposited>> balances;
  for (int i = 0; i < 100; ++i)
    node.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}, 5s, into(balances));
  node->run();
  BOOST_REQUIRE(balances.size() == 100U);
  for (std::size_t i = 0; i < balances.size(); ++i)
    BOOST_TEST(answered<deposited>(balances[i]).balance == static_cast<std::int64_t>(i + 1));
  BOOST_TEST(script->batches.size() < 10U);
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

BOOST_AUTO_TEST_CASE(a_foreign_event_is_noticed_and_the_command_decided_again) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  bool once = true;
  script->before_append = [&](journal& real) {
    if (std::exchange(once, false))
      test::append_behind_its_back(real, deposited{"ann", 1'000}, "test.account/ann");
  };
  std::vector<answer<deposited>> balances;
  for (int i = 0; i < 3; ++i)
    node.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}, 5s, into(balances));
  node->run();
  BOOST_REQUIRE(balances.size() == 3U);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST(answered<deposited>(balances[i]).balance == 1'001 + static_cast<std::int64_t>(i));
  BOOST_TEST(node->journal().stream_version("test.account/ann").value() == 5U);
}

BOOST_AUTO_TEST_CASE(after_too_many_foreign_events_the_command_ends_as_a_conflict) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts({.max_conflicts = 3})}, with_journal(script)};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  std::size_t foreign = 0;
  script->before_append = [&](journal& real) {
    ++foreign;
    test::append_behind_its_back(real, deposited{"ann", 1'000}, "test.account/ann");
  };
  auto why = failure_of(node.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}));
  BOOST_TEST(why.kind == failure_kind::conflict);
  BOOST_TEST(why.certainty == certainty::not_done);
  BOOST_TEST(foreign == 4U);
  script->before_append = nullptr;
  auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<deposited>(done).balance == 1'001);
}

BOOST_AUTO_TEST_CASE(a_refused_append_never_shows) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  test::seen<std::string> heard;
  auto opened = node.events().subscribe<account_opened>(
      [&](const account_opened& e) { heard.add("opened " + e.owner); });
  auto refusals = node.events().subscribe<account_refused>(
      [&](const account_refused& e) { heard.add("refused " + e.owner); });
  bool once = true;
  script->refuses = [&](const append_request& r) -> std::optional<failure> {
    const auto* event =
        r.events.empty() ? nullptr : r.events.front().message.get_if<account_opened>();
    if (event && event->owner == "ann" && std::exchange(once, false))
      return test::disk_is_full();
    return std::nullopt;
  };
  std::vector<opening> ann;
  std::vector<opening> ann_again;
  std::vector<opening> bob;
  open(node, "ann", ann);
  open(node, "ann", ann_again);  // decided on an account that is not there after all
  open(node, "bob", bob);
  node->run();
  BOOST_REQUIRE(ann.size() == 1U);
  BOOST_TEST(failure_of(ann[0]).kind == failure_kind::overloaded);
  BOOST_TEST(failure_of(ann[0]).certainty == certainty::not_done);
  BOOST_REQUIRE(ann_again.size() == 1U);
  BOOST_TEST(answered<account_opened>(ann_again[0]).owner == "ann");
  BOOST_REQUIRE(bob.size() == 1U);
  BOOST_TEST(answered<account_opened>(bob[0]).owner == "bob");
  BOOST_TEST(node->journal().last_position() == 2U);
  auto all = heard.all();
  BOOST_TEST(std::count(all.begin(), all.end(), "opened ann") == 1);
  BOOST_TEST(std::count(all.begin(), all.end(), "opened bob") == 1);
  BOOST_TEST(all.size() == 2U);
}

BOOST_AUTO_TEST_CASE(while_every_append_is_refused_nothing_shows_and_then_it_heals) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  script->refuses = [](const append_request& r) -> std::optional<failure> {
    return r.events.empty() ? std::nullopt : std::optional{test::disk_is_full()};
  };
  std::vector<opening> answers;
  for (int i = 0; i < 10; ++i)
    open(node, "ann", answers);
  node->run();
  BOOST_REQUIRE(answers.size() == 10U);
  for (const auto& each : answers)
    BOOST_TEST(failure_of(each).certainty == certainty::not_done);
  script->refuses = nullptr;
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
}

BOOST_AUTO_TEST_CASE(a_rejection_is_held_until_what_it_was_decided_on_is_durable) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  std::vector<opening> answers;
  std::optional<std::size_t> before_commit;
  script->before_append = [&](journal&) {
    if (!before_commit)
      before_commit = answers.size();
  };
  open(node, "ann", answers);
  open(node, "ann", answers);
  node->run();
  BOOST_REQUIRE(before_commit.has_value());
  BOOST_TEST(*before_commit == 0U);
  BOOST_REQUIRE(answers.size() == 2U);
  BOOST_TEST(answered<account_opened>(answers[0]).owner == "ann");
  BOOST_TEST(answered<account_refused>(answers[1]).reason == "already open");
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

BOOST_AUTO_TEST_CASE(the_same_command_again_is_answered_with_what_it_caused) {
  running_node node{{accounts()}};
  test::seen<std::string> heard;
  auto opened =
      node.events().subscribe<account_opened>([&](const account_opened& e) { heard.add(e.owner); });
  auto refusals = node.events().subscribe<account_refused>(
      [&](const account_refused& e) { heard.add("refused " + e.owner); });
  auto command = correlated(open_account{"ann"});
  std::vector<opening> answers;
  // While the first still runs, and when it is long forgotten.
  for (int i = 0; i < 2; ++i)
    node.commands().dispatch_and_wait<account_opened, account_refused>(command, 5s, into(answers));
  node->run();
  node->advance(1min);
  node.commands().dispatch_and_wait<account_opened, account_refused>(command, 5s, into(answers));
  node->run();
  BOOST_REQUIRE(answers.size() == 3U);
  for (const auto& each : answers) {
    BOOST_TEST(answered<account_opened>(each).owner == "ann");
    BOOST_TEST(each.position == 1U);
  }
  BOOST_TEST(node->journal().last_position() == 1U);
  BOOST_TEST(heard.all() == std::vector<std::string>{"ann"}, boost::test_tools::per_element());
  node->advance(1min);
  BOOST_TEST(node.counted().conversation_slots == 0U);
}

BOOST_AUTO_TEST_CASE(the_same_command_again_does_not_move_the_state) {
  running_node node{{accounts()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  auto command = correlated(deposit{"ann", 5});
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(answered<deposited>(node.commands().dispatch_and_wait<deposited>(command)).balance ==
               5);
  std::vector<answer<deposited>> answers;
  node.commands().dispatch_and_wait<deposited>(command, 5s, into(answers));
  node.commands().dispatch_and_wait<deposited>(deposit{"ann", 1}, 5s, into(answers));
  node->run();
  BOOST_REQUIRE(answers.size() == 2U);
  BOOST_TEST(answered<deposited>(answers[1]).balance == 6);
  BOOST_TEST(node->journal().last_position() == 3U);
}

BOOST_AUTO_TEST_CASE(a_decider_that_is_served_no_longer_settles_what_is_under_way) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{}, with_journal(script)};
  BOOST_REQUIRE(node->host(component{"test.types"}).has_value());
  auto served = node->runtime()->serve(make_decider<account, open_account, deposit>()).value();
  std::vector<answer<accepted>> ends;
  for (int i = 0; i < 3; ++i)
    node.commands().dispatch_and_wait<accepted>(open_account{"ann"}, 5s, into(ends));
  // A foreign event in between, so that the commands would have to be decided again.
  bool once = true;
  script->before_append = [&](journal& real) {
    if (std::exchange(once, false)) {
      test::append_behind_its_back(real, deposited{"ann", 1}, "test.account/ann");
      served.reset();
    }
  };
  auto before = node->runtime()->steady_now();
  node->run();
  BOOST_TEST((node->runtime()->steady_now() == before));
  BOOST_TEST(ends.size() == 3U);
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
