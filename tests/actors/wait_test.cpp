#include "ending.hpp"
#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::ending;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(wait)

BOOST_AUTO_TEST_CASE(a_wait_times_out_at_its_limit_and_not_before) {
  running_node node;
  ending<work_done> ended;
  node.events().wait_for<work_done>(correlation_id::make(), 300ms, ended.function());
  node->advance(299ms);
  BOOST_TEST(ended.count == 0);
  node->advance(1ms);
  BOOST_REQUIRE(ended.count == 1);
  auto why = failure_of(*ended.got);
  BOOST_TEST(why.kind == failure_kind::timeout);
  BOOST_TEST(why.certainty == certainty::unknown);
  BOOST_TEST(why.text.find("test.work_done") != std::string::npos);
  BOOST_TEST(why.text.find("300 ms") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(each_of_several_waits_times_out_at_its_own_limit) {
  running_node node;
  std::vector<ending<work_done>> ended(5);
  // Not in the order of their limits.
  for (int i : {2, 0, 4, 1, 3})
    node.events().wait_for<work_done>(correlation_id::make(), (i + 1) * 100ms,
                                      ended[static_cast<std::size_t>(i)].function());
  for (std::size_t passed = 1; passed <= ended.size(); ++passed) {
    node->advance(99ms);
    for (std::size_t i = 0; i < ended.size(); ++i)
      BOOST_TEST(ended[i].count == (i < passed - 1 ? 1 : 0));
    node->advance(1ms);
    for (std::size_t i = 0; i < ended.size(); ++i)
      BOOST_TEST(ended[i].count == (i < passed ? 1 : 0));
  }
}

BOOST_AUTO_TEST_CASE(a_blocking_wait_lets_virtual_time_pass_up_to_its_limit) {
  running_node node;
  auto before = node->runtime()->steady_now();
  auto ended = node.events().wait_for<work_done>(correlation_id::make(), 5s);
  BOOST_TEST(failure_of(ended).kind == failure_kind::timeout);
  BOOST_TEST((node->runtime()->steady_now() - before == 5s));
}

BOOST_AUTO_TEST_CASE(the_default_limit_is_five_seconds) {
  running_node node;
  auto before = node->runtime()->steady_now();
  BOOST_TEST(node.events().wait_for<work_done>(correlation_id::make()).failed());
  BOOST_TEST((node->runtime()->steady_now() - before == 5s));
}

BOOST_AUTO_TEST_CASE(a_wait_ends_once_although_more_of_its_types_follow) {
  running_node node;
  auto conversation = correlation_id::make();
  ending<work_done, other_work_done> ended;
  node.events().wait_for<work_done, other_work_done>(conversation, 1s, ended.function());
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(node.events().dispatch(correlated_in(conversation, work_done{i})).has_value());
  BOOST_TEST(node.events().dispatch(correlated_in(conversation, other_work_done{9})).has_value());
  node->run();
  node->advance(10s);
  BOOST_TEST(ended.count == 1);
  BOOST_TEST(answered<work_done>(*ended.got).number == 0);
}

BOOST_AUTO_TEST_CASE(all_waits_of_a_conversation_get_the_message) {
  running_node node;
  auto conversation = correlation_id::make();
  ending<work_done> first;
  ending<work_done, other_work_done> second;
  node.events().wait_for<work_done>(conversation, 1s, first.function());
  node.events().wait_for<work_done, other_work_done>(conversation, 1s, second.function());
  BOOST_TEST(node.events().dispatch(correlated_in(conversation, work_done{1})).has_value());
  node->run();
  BOOST_TEST(first.count == 1);
  BOOST_TEST(second.count == 1);
}

BOOST_AUTO_TEST_CASE(other_conversations_do_not_answer) {
  running_node node;
  ending<work_done> ended;
  node.events().wait_for<work_done>(correlation_id::make(), 1s, ended.function());
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  node->run();
  BOOST_TEST(ended.count == 0);
  node->advance(1s);
  BOOST_TEST(failure_of(*ended.got).kind == failure_kind::timeout);
}

BOOST_AUTO_TEST_CASE(an_answer_that_comes_too_late_is_counted_and_logged) {
  test::log_lines log;
  running_node node{{}, test::logging_to(log)};
  auto slow = node.commands()
                  .subscribe<work>([](const work& c, context& ctx) {
                    ctx.wait_for<other_work_done>(1s).then(
                        [](const other_work_done&) {},
                        [number = c.number](const failure&, context& then) {
                          then.dispatch(work_done{number});
                        });
                  })
                  .value();
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto ended = node.events().wait_for<work_done>(command.correlation, 100ms);
  BOOST_TEST(failure_of(ended).kind == failure_kind::timeout);
  BOOST_TEST(node.counted().late_answers == 0U);
  node->advance(2s);
  BOOST_TEST(node.counted().late_answers == 1U);
  BOOST_TEST(log.contain("test.work_done"));
  // It is still there for who asks again.
  BOOST_TEST(answered<work_done>(node.events().wait_for<work_done>(command.correlation)).number ==
             1);
}

BOOST_AUTO_TEST_CASE(the_failure_of_an_earlier_dispatch_does_not_end_a_later_wait) {
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([](const work& c, context& ctx) {
                       if (c.number == 1)
                         throw std::runtime_error{"fails"};
                       ctx.dispatch(work_done{c.number});
                     })
                     .value();
  auto first = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(first).has_value());
  node->run();
  auto again = correlated_in(first.correlation, work{2});
  BOOST_REQUIRE(node.commands().dispatch(again).has_value());
  auto done = node.events().wait_for<work_done>(first.correlation);
  BOOST_TEST(answered<work_done>(done).number == 2);
  auto blocking =
      node.commands().dispatch_and_wait<work_done>(correlated_in(first.correlation, work{3}));
  BOOST_TEST(answered<work_done>(blocking).number == 3);
}

BOOST_AUTO_TEST_CASE(a_wait_for_one_dispatch_is_not_ended_by_the_failure_of_another) {
  running_node node;
  std::vector<std::int64_t> order;
  auto handler = node.commands()
                     .subscribe<work>([&](const work& c, context& ctx) {
                       order.push_back(c.number);
                       if (c.number == 1)
                         throw std::runtime_error{"fails"};
                       ctx.dispatch(work_done{c.number});
                     })
                     .value();
  auto conversation = correlation_id::make();
  ending<work_done> failing;
  ending<work_done> working;
  node.commands().dispatch_and_wait<work_done>(correlated_in(conversation, work{1}), 1s,
                                               failing.function());
  node.commands().dispatch_and_wait<work_done>(correlated_in(conversation, work{2}), 1s,
                                               working.function());
  node->run();
  BOOST_TEST(order == (std::vector<std::int64_t>{1, 2}), boost::test_tools::per_element());
  BOOST_REQUIRE(failing.count == 1);
  BOOST_TEST(failure_of(*failing.got).kind == failure_kind::handler_failed);
  BOOST_REQUIRE(working.count == 1);
  BOOST_TEST(answered<work_done>(*working.got).number == 2);
}

BOOST_AUTO_TEST_CASE(a_wait_of_the_whole_conversation_ends_too_when_the_awaited_dispatch_fails) {
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([](const work&) { throw std::runtime_error{"fails"}; })
                     .value();
  auto command = correlated(work{1});
  ending<work_done> whole;
  ending<work_done> bound;
  node.events().wait_for<work_done>(command.correlation, 1s, whole.function());
  node.commands().dispatch_and_wait<work_done>(command, 1s, bound.function());
  node->run();
  BOOST_REQUIRE(bound.count == 1);
  BOOST_TEST(failure_of(*bound.got).kind == failure_kind::handler_failed);
  BOOST_REQUIRE(whole.count == 1);
  BOOST_TEST(failure_of(*whole.got).kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(a_failure_of_what_a_command_caused_ends_the_wait_for_the_command) {
  running_node node;
  auto outer =
      node.commands()
          .subscribe<work>([](const work& c, context& ctx) { ctx.dispatch(other_work{c.number}); })
          .value();
  auto inner =
      node.commands()
          .subscribe<other_work>([](const other_work&) { throw std::runtime_error{"inner"}; })
          .value();
  auto before = node->runtime()->steady_now();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("inner") != std::string::npos);
  BOOST_TEST((node->runtime()->steady_now() == before));
}

BOOST_AUTO_TEST_CASE(accepted_comes_in_either_order_although_what_the_command_caused_fails) {
  running_node node;
  auto outer =
      node.commands()
          .subscribe<work>([](const work& c, context& ctx) { ctx.dispatch(other_work{c.number}); })
          .value();
  auto inner =
      node.commands()
          .subscribe<other_work>([](const other_work&) { throw std::runtime_error{"inner"}; })
          .value();
  auto command = correlated(work{1});
  ending<accepted> early;
  node.events().wait_for<accepted>(command.correlation, 1s, early.function());
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  BOOST_REQUIRE(early.count == 1);
  auto late = node.events().wait_for<accepted>(command.correlation, 1s);
  BOOST_TEST(early.got->failed() == late.failed());
}

BOOST_AUTO_TEST_CASE(a_command_that_loses_its_handler_on_the_way_fails_at_once) {
  running_node node;
  test::seen<std::int64_t> done;
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
  ending<work_done> ended;
  node.commands().dispatch_and_wait<work_done>(work{1}, 5s, ended.function());
  handler.reset();
  node->run();
  BOOST_TEST(done.count() == 0U);
  BOOST_REQUIRE(ended.count == 1);
  BOOST_TEST(failure_of(*ended.got).kind == failure_kind::no_handler);
}

BOOST_AUTO_TEST_CASE(what_a_handler_sends_to_nobody_fails_its_wait_at_once) {
  running_node node;
  auto handler =
      node.commands()
          .subscribe<work>([](const work& c, context& ctx) { ctx.dispatch(other_work{c.number}); })
          .value();
  auto before = node->runtime()->steady_now();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{1}));
  BOOST_TEST(why.kind == failure_kind::no_handler);
  BOOST_TEST(why.text.find("test.other_work") != std::string::npos);
  BOOST_TEST((node->runtime()->steady_now() == before));
}

BOOST_AUTO_TEST_CASE(a_stopping_node_ends_every_wait_once) {
  running_node node;
  ending<work_done> first;
  ending<pong> second;
  node.events().wait_for<work_done>(correlation_id::make(), 1h, first.function());
  node.queries().wait_for<pong>(correlation_id::make(), 1h, second.function());
  node->run();
  node.stop();
  BOOST_REQUIRE(first.count == 1);
  BOOST_TEST(failure_of(*first.got).kind == failure_kind::stopped);
  BOOST_REQUIRE(second.count == 1);
  BOOST_TEST(failure_of(*second.got).kind == failure_kind::stopped);
}

BOOST_AUTO_TEST_CASE(threads_that_wait_are_let_go_when_the_node_stops) {
  running_node node{{}, test::on_threads()};
  auto handler =
      node.commands()
          .subscribe<work>([](const work&, context& ctx) {
            ctx.wait_for<work_done>(1h).then([](const work_done&) {}, [](const failure&) {});
          })
          .value();
  test::seen<failure_kind> ended;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, events = node.events()] {
      ended.add(failure_of(events.wait_for<work_done>(correlation_id::make(), 1h)).kind);
    });
  }
  test::eventually([&] { return node.counted().pending_waits == 4; }, "four waits are pending");
  node.stop();
  threads.clear();
  BOOST_TEST(ended.count() == 4U);
  for (auto kind : ended.all())
    BOOST_TEST(kind == failure_kind::stopped);
}

BOOST_AUTO_TEST_CASE(a_function_that_is_called_with_an_answer_must_not_block) {
  running_node node{{worker()}};
  std::optional<failure_kind> kind;
  node.commands().dispatch_and_wait<work_done>(work{1}, 1s, [&](const answer<work_done>&) {
    auto ended = node.commands().dispatch_and_wait<work_done>(work{2});
    if (const auto* why = ended.get_if<failure>())
      kind = why->kind;
  });
  node->run();
  BOOST_REQUIRE(kind.has_value());
  BOOST_TEST(*kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_harms_nobody) {
  test::log_lines log;
  running_node node{{worker()}, test::logging_to(log)};
  node.commands().dispatch_and_wait<work_done>(
      work{1}, 1s, [](const answer<work_done>&) { throw std::runtime_error{"in a callback"}; });
  node->run();
  BOOST_TEST(log.contain("in a callback"));
  ending<work_done> ended;
  node.commands().dispatch_and_wait<work_done>(work{2}, 1s, ended.function());
  node->run();
  BOOST_TEST(ended.count == 1);
}

BOOST_AUTO_TEST_SUITE_END()
