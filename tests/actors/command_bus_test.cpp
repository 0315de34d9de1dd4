#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(command_bus)

BOOST_AUTO_TEST_CASE(a_command_is_done_without_anybody_waiting) {
  test::seen<std::int64_t> done;
  running_node node;
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
  auto sent = node.commands().dispatch(work{7});
  BOOST_REQUIRE(sent.has_value());
  BOOST_TEST(!sent->id.empty());
  node->run();
  BOOST_TEST(done.all() == std::vector<std::int64_t>{7}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_command_is_dispatched_and_its_event_awaited_on_another_bus) {
  running_node node{{worker()}};
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto answer = node.events().wait_for<work_done>(command.correlation);
  BOOST_TEST(answered<work_done>(answer).number == 1);
}

BOOST_AUTO_TEST_CASE(the_wait_may_come_before_the_command) {
  running_node node{{worker()}};
  auto command = correlated(work{1});
  std::optional<answer<work_done>> got;
  node.events().wait_for<work_done>(command.correlation, 5s,
                                    [&](const answer<work_done>& a) { got = a; });
  node->run();
  BOOST_TEST(!got.has_value());
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(answered<work_done>(*got).number == 1);
}

BOOST_AUTO_TEST_CASE(the_wait_may_come_long_after_the_answer_has_passed) {
  running_node node{{worker()}};
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  node->advance(9s);
  auto answer = node.events().wait_for<work_done>(command.correlation);
  BOOST_TEST(answered<work_done>(answer).number == 1);
}

BOOST_AUTO_TEST_CASE(the_first_of_several_types_answers) {
  running_node node{{accounts()}};
  auto opened =
      node.commands().dispatch_and_wait<account_opened, account_refused>(open_account{"ann"});
  BOOST_TEST(answered<account_opened>(opened).owner == "ann");
  auto refused =
      node.commands().dispatch_and_wait<account_opened, account_refused>(open_account{"ann"});
  BOOST_TEST(answered<account_refused>(refused).reason == "already open");
}

BOOST_AUTO_TEST_CASE(the_first_of_several_types_answers_in_a_conversation) {
  running_node node{{accounts()}};
  auto command = correlated(deposit{"ann", 5});
  std::optional<answer<deposited, account_refused>> got;
  node.events().wait_for<deposited, account_refused>(
      command.correlation, 5s, [&](const answer<deposited, account_refused>& a) { got = a; });
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(answered<account_refused>(*got).reason == "not open");
}

BOOST_AUTO_TEST_CASE(dispatch_and_wait_may_name_a_function_instead_of_blocking) {
  running_node node{{worker()}};
  int called = 0;
  node.commands().dispatch_and_wait<work_done>(work{3}, 5s, [&](const answer<work_done>& a) {
    ++called;
    BOOST_TEST(answered<work_done>(a).number == 3);
  });
  node->run();
  node->advance(1min);
  BOOST_TEST(called == 1);
}

BOOST_AUTO_TEST_CASE(a_command_that_ends_without_events_is_accepted) {
  running_node node;
  auto handler = node.commands().subscribe<work>([](const work&) {}).value();
  auto done = node.commands().dispatch_and_wait<accepted>(work{1});
  BOOST_TEST(answered<accepted>(done).position == 0U);
}

BOOST_AUTO_TEST_CASE(a_command_that_ends_with_other_events_is_accepted_with_their_position) {
  running_node node{{worker()}};
  auto done = node.commands().dispatch_and_wait<other_work_done, accepted>(work{1});
  BOOST_TEST(answered<accepted>(done).position == 1U);
  done = node.commands().dispatch_and_wait<other_work_done, accepted>(work{2});
  BOOST_TEST(answered<accepted>(done).position == 2U);
  BOOST_TEST(done.position == 2U);
}

BOOST_AUTO_TEST_CASE(an_awaited_event_comes_before_accepted) {
  running_node node{{worker()}};
  auto done = node.commands().dispatch_and_wait<work_done, accepted>(work{1});
  BOOST_TEST(answered<work_done>(done).number == 1);
  BOOST_TEST(done.position == 1U);
}

BOOST_AUTO_TEST_CASE(accepted_can_be_awaited_before_and_after) {
  running_node node{{worker()}};
  auto first = correlated(work{1});
  std::optional<answer<accepted>> early;
  node.events().wait_for<accepted>(first.correlation, 5s,
                                   [&](const answer<accepted>& a) { early = a; });
  BOOST_REQUIRE(node.commands().dispatch(first).has_value());
  node->run();
  BOOST_REQUIRE(early.has_value());
  BOOST_TEST(answered<accepted>(*early).position == 1U);
  auto late = node.commands().wait_for<accepted>(first.correlation);
  BOOST_TEST(answered<accepted>(late).position == 1U);
  std::uint64_t called = 0;
  auto second = correlated(work{2});
  for (auto conversation : {first.correlation, second.correlation})
    node.commands().wait_for<accepted>(conversation, 5s, [&](const answer<accepted>& a) {
      BOOST_TEST(answered<accepted>(a).position == ++called);
    });
  node->run();
  BOOST_TEST(called == 1U);
  BOOST_REQUIRE(node.commands().dispatch(second).has_value());
  node->run();
  BOOST_TEST(called == 2U);
}

BOOST_AUTO_TEST_CASE(accepted_is_about_the_command_and_not_about_what_it_caused) {
  running_node node;
  auto outer =
      node.commands()
          .subscribe<work>([](const work& c, context& ctx) {
            ctx.ask(ping{c.number})
                .then([](const pong& p, context& then) { then.dispatch(work_done{p.number}); },
                      [](const failure&) {});
          })
          .value();
  auto inner =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number + 1}; }).value();
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto done = node.commands().wait_for<accepted>(command.correlation);
  BOOST_TEST(answered<accepted>(done).position == 1U);
}

BOOST_AUTO_TEST_CASE(a_command_that_nobody_serves_is_refused_at_once) {
  running_node node;
  auto sent = node.commands().dispatch(work{1});
  BOOST_REQUIRE(!sent.has_value());
  BOOST_TEST(sent.error().kind == failure_kind::no_handler);
  BOOST_TEST(sent.error().certainty == certainty::not_done);
  auto ended = node.commands().dispatch_and_wait<work_done>(work{1});
  BOOST_TEST(failure_of(ended).kind == failure_kind::no_handler);
}

BOOST_AUTO_TEST_CASE(a_wait_that_follows_a_refused_dispatch_ends_with_its_reason) {
  running_node node;
  auto command = correlated(work{1});
  BOOST_TEST(!node.commands().dispatch(command).has_value());
  auto ended = node.events().wait_for<work_done>(command.correlation);
  BOOST_TEST(failure_of(ended).kind == failure_kind::no_handler);
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_ends_the_wait_at_once_and_lives_on) {
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([](const work& c, context& ctx) {
                       ctx.dispatch(work_done{c.number});
                       if (c.number == 1)
                         throw std::runtime_error{"the first one fails"};
                     })
                     .value();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("the first one fails") != std::string::npos);
  BOOST_TEST(why.text.find("test.work") != std::string::npos);
  BOOST_TEST(node->journal().last_position() == 0U);
  BOOST_TEST(answered<work_done>(node.commands().dispatch_and_wait<work_done>(work{2})).number ==
             2);
  BOOST_TEST(node.counted().handler_exceptions == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_thrown_need_not_be_an_exception) {
  running_node node;
  auto handler = node.commands().subscribe<work>([](const work&) { throw 7; }).value();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(past_the_bound_commands_are_refused_at_once) {
  test::seen<std::int64_t> done;
  running_node node{{}, {.max_commands_in_flight = 3, .scheduler = scheduling::deterministic}};
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(node.commands().dispatch(work{i}).has_value());
  for (int i = 3; i < 6; ++i) {
    auto refused = node.commands().dispatch(work{i});
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().kind == failure_kind::overloaded);
    BOOST_TEST(refused.error().certainty == certainty::not_done);
  }
  BOOST_TEST(node.counted().refused.at("overloaded") == 3U);
  node->run();
  BOOST_TEST(node.commands().dispatch(work{6}).has_value());
  node->run();
  BOOST_TEST(done.all() == (std::vector<std::int64_t>{0, 1, 2, 6}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_an_admitted_command_causes_is_never_refused) {
  test::seen<std::int64_t> done;
  running_node node{{}, {.max_commands_in_flight = 1, .scheduler = scheduling::deterministic}};
  auto first = node.commands()
                   .subscribe<work>([](const work&, context& ctx) {
                     for (int i = 0; i < 100; ++i)
                       ctx.dispatch(other_work{i});
                   })
                   .value();
  auto second = node.commands()
                    .subscribe<other_work>([&](const other_work& c) { done.add(c.number); })
                    .value();
  BOOST_TEST(node.commands().dispatch(work{1}).has_value());
  BOOST_TEST(!node.commands().dispatch(work{2}).has_value());
  node->run();
  BOOST_TEST(done.count() == 100U);
}

BOOST_AUTO_TEST_CASE(a_refused_dispatch_and_wait_leaves_no_slot_behind) {
  running_node node;
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(node.commands().dispatch_and_wait<work_done>(work{i}).failed());
  BOOST_TEST(node.counted().conversation_slots == 0U);
}

BOOST_AUTO_TEST_CASE(work_past_its_deadline_is_not_begun) {
  test::seen<std::int64_t> begun;
  running_node node;
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { begun.add(c.number); }).value();
  std::optional<answer<work_done>> got;
  node.commands().dispatch_and_wait<work_done>(work{1}, 0ms,
                                               [&](const answer<work_done>& a) { got = a; });
  node->run();
  BOOST_TEST(begun.count() == 0U);
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(failure_of(*got).kind == failure_kind::timeout);
}

BOOST_AUTO_TEST_CASE(a_limit_without_end_is_no_overflow) {
  running_node node{{worker()}};
  auto done =
      node.commands().dispatch_and_wait<work_done>(work{1}, std::chrono::milliseconds::max());
  BOOST_TEST(answered<work_done>(done).number == 1);
}

BOOST_AUTO_TEST_CASE(a_chain_of_causes_ends_at_its_bound) {
  std::uint16_t deepest = 0;
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([&](const work& c, context& ctx) {
                       deepest = std::max(deepest, ctx.head().depth);
                       ctx.dispatch(work{c.number + 1});
                     })
                     .value();
  auto command = correlated(work{0});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto why = failure_of(node.events().wait_for<work_done>(command.correlation));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("chain") != std::string::npos);
  BOOST_TEST(deepest == internal::max_causation_depth);
}

BOOST_AUTO_TEST_CASE(what_one_handler_call_sends_is_bounded) {
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([](const work&, context& ctx) {
                       for (;;)
                         ctx.dispatch(work_done{});
                     })
                     .value();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{0}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(one_sender_reaches_one_handler_in_order_among_several_senders) {
  constexpr std::int64_t senders = 4;
  constexpr std::int64_t each = 2'000;
  test::seen<std::int64_t> done;
  running_node node{{}, test::on_threads()};
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
  {
    std::vector<std::jthread> threads;
    for (std::int64_t sender = 0; sender < senders; ++sender) {
      threads.emplace_back([&, sender] {
        for (std::int64_t i = 0; i < each; ++i) {
          while (!node.commands().dispatch(work{sender * each + i}))
            std::this_thread::yield();
        }
      });
    }
  }
  test::eventually([&] { return done.count() == senders * each; }, "all is done");
  std::vector<std::int64_t> last(senders, -1);
  bool in_order = true;
  for (auto number : done.all()) {
    auto& before = last[static_cast<std::size_t>(number / each)];
    in_order = in_order && number % each == before + 1;
    before = number % each;
  }
  BOOST_TEST(in_order);
}

BOOST_AUTO_TEST_CASE(many_threads_wait_for_their_own_answers) {
  running_node node{{accounts()}, test::on_threads()};
  test::seen<std::string> wrong;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          auto owner = std::to_string(t) + "-" + std::to_string(i);
          auto opened = node.commands().dispatch_and_wait<account_opened>(open_account{owner}, 60s);
          const auto* event = opened.get_if<account_opened>();
          if (!event || event->owner != owner)
            wrong.add(owner);
        }
      });
    }
  }
  BOOST_TEST(wrong.count() == 0U);
  // The end of a command comes after its events, and so after the answer.
  test::eventually([&] { return node.counted().conversation_slots == 0U; }, "no slot is left");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_dispatched_again_is_not_run_again) {
  running_node node;
  BOOST_REQUIRE(node->host(worker()).has_value());
  int runs = 0;
  auto handler = node.commands()
                     .subscribe<other_work>([&](const other_work& c, context& ctx) {
                       ++runs;
                       ctx.dispatch(work_done{c.number});
                     })
                     .value();
  auto command = correlated(other_work{3});
  std::vector<answer<work_done>> answers;
  // While the first runs, just after it, when its conversation is long forgotten, and in another
  // one.
  for (int i = 0; i < 2; ++i)
    node.commands().dispatch_and_wait<work_done>(command, 5s,
                                                 [&](const auto& a) { answers.push_back(a); });
  node->run();
  BOOST_REQUIRE(answers.size() == 2U);
  answers.push_back(node.commands().dispatch_and_wait<work_done>(command));
  node->advance(1min);
  answers.push_back(node.commands().dispatch_and_wait<work_done>(command));
  for (const auto& each : answers) {
    BOOST_TEST(answered<work_done>(each).number == 3);
    BOOST_TEST(each.position == 1U);
  }
  BOOST_TEST(runs == 1);
  BOOST_TEST(node->journal().last_position() == 1U);
  BOOST_TEST(node.counted().in_flight.at("command") == 0U);
}

BOOST_AUTO_TEST_CASE(a_repeated_command_is_answered_in_the_conversation_that_repeats_it) {
  running_node node{{worker()}};
  auto command = correlated(work{4});
  BOOST_TEST(answered<work_done>(node.commands().dispatch_and_wait<work_done>(command)).number ==
             4);
  command.correlation = correlation_id::make();
  BOOST_TEST(answered<work_done>(node.commands().dispatch_and_wait<work_done>(command)).number ==
             4);
  BOOST_TEST(node->journal().last_position() == 1U);
}

BOOST_AUTO_TEST_CASE(a_command_that_caused_nothing_is_run_again) {
  running_node node;
  int runs = 0;
  auto handler = node.commands().subscribe<work>([&](const work&) { ++runs; }).value();
  auto command = correlated(work{5});
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(command).failed());
  BOOST_TEST(runs == 2);
}

BOOST_AUTO_TEST_SUITE_END()
