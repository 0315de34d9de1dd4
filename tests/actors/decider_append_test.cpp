// What deciders hand to the journal, and what becomes of it.

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

BOOST_AUTO_TEST_SUITE(decider_append)

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

BOOST_AUTO_TEST_CASE(nothing_is_decided_on_a_state_that_could_not_be_loaded_again) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  script->cannot_load = storage_error{storage_error_kind::unreachable, "it is not there", 0};
  script->refuses = [](const append_request&) { return std::optional{test::disk_is_full()}; };
  static_cast<void>(failure_of(node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1})));
  script->refuses = nullptr;
  auto pay = [&] {
    return node.commands().dispatch_and_wait<deposited, account_refused>(deposit{"ann", 2});
  };
  BOOST_TEST((failure_of(pay()).kind == failure_kind::unreachable));
  script->cannot_load.reset();
  BOOST_TEST(answered<deposited>(pay()).balance == 2);
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

BOOST_AUTO_TEST_CASE(after_a_refused_append_the_state_is_as_if_it_had_never_been_tried) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{accounts()}, with_journal(script)};
  script->refuses = [](const append_request&) { return std::optional{test::disk_is_full()}; };
  std::vector<opening> answers;
  open(node, "ann", answers);
  node->run();
  script->refuses = nullptr;
  open(node, "ann", answers);
  node->run();
  BOOST_REQUIRE(answers.size() == 2U);
  BOOST_TEST(failure_of(answers[0]).kind == failure_kind::overloaded);
  BOOST_TEST(answered<account_opened>(answers[1]).owner == "ann");
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

BOOST_AUTO_TEST_SUITE_END()
