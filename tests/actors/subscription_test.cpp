#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(subscription)

BOOST_AUTO_TEST_CASE(a_second_handler_is_refused_and_both_places_are_named) {
  running_node node;
  auto first_line = __LINE__ + 1;
  auto first = node.commands().subscribe<work>([](const work&) {});
  BOOST_REQUIRE(first.has_value());
  auto second_line = __LINE__ + 1;
  auto second = node.commands().subscribe<work>([](const work&) {});
  BOOST_REQUIRE(!second.has_value());
  const auto& text = second.error().text;
  BOOST_TEST(text.find("test.work") != std::string::npos);
  BOOST_TEST(text.find("subscription_test.cpp:" + std::to_string(first_line)) != std::string::npos);
  BOOST_TEST(text.find("subscription_test.cpp:" + std::to_string(second_line)) !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_second_handler_of_a_query_is_refused) {
  running_node node;
  auto first = node.queries().subscribe<ping>([](const ping&) { return pong{1}; });
  auto second = node.queries().subscribe<ping>([](const ping&) { return pong{2}; });
  BOOST_TEST(first.has_value());
  BOOST_TEST(!second.has_value());
  BOOST_TEST(answered<pong>(node.queries().ask(ping{})).number == 1);
}

BOOST_AUTO_TEST_CASE(a_function_and_a_decider_of_one_command_are_refused) {
  running_node node{{accounts()}};
  auto second = node.commands().subscribe<deposit>([](const deposit&) {});
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().text.find("test.accounts") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unsubscribing_ends_service_and_makes_room_for_another) {
  running_node node;
  test::seen<int> served_by;
  {
    auto first = node.commands().subscribe<work>([&](const work&) { served_by.add(1); }).value();
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
  }
  BOOST_TEST(node.commands().dispatch(work{}).error().kind == failure_kind::no_handler);
  auto second = node.commands().subscribe<work>([&](const work&) { served_by.add(2); }).value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
  BOOST_TEST(served_by.all() == (std::vector<int>{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_on_its_way_to_a_handler_still_reaches_it) {
  running_node node{{}, test::on_threads()};
  for (int round = 0; round < 100; ++round) {
    test::seen<std::int64_t> done;
    auto handler =
        node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
    test::seen<failure_kind> failed;
    test::seen<int> ended;
    for (int i = 0; i < 20; ++i)
      node.commands().dispatch_and_wait<accepted>(work{i}, 60s, [&](const answer<accepted>& a) {
        if (const auto* why = a.get_if<failure>())
          failed.add(why->kind);
        ended.add(1);
      });
    handler.reset();
    test::eventually([&] { return ended.count() == 20; }, "every command has ended");
    for (auto kind : failed.all())
      BOOST_TEST(kind == failure_kind::no_handler);
    BOOST_TEST(done.count() + failed.count() == 20U);
  }
}

BOOST_AUTO_TEST_CASE(a_subscription_moves) {
  running_node node;
  microlith::subscription kept;
  {
    auto made = node.commands().subscribe<work>([](const work&) {}).value();
    kept = std::move(made);
  }
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
  microlith::subscription last{std::move(kept)};
  kept.reset();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
  last.reset();
  last.reset();
  BOOST_TEST(node.commands().dispatch_and_wait<accepted>(work{}).failed());
}

BOOST_AUTO_TEST_CASE(a_subscription_that_is_kept_lasts_as_long_as_the_node) {
  running_node node;
  node.commands().subscribe<work>([](const work&) {}).value().keep();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
}

BOOST_AUTO_TEST_CASE(assigning_to_a_subscription_ends_the_old_one) {
  running_node node;
  auto held = node.commands().subscribe<work>([](const work&) {}).value();
  held = node.commands().subscribe<other_work>([](const other_work&) {}).value();
  BOOST_TEST(node.commands().dispatch_and_wait<accepted>(work{}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(other_work{}).failed());
}

BOOST_AUTO_TEST_CASE(subscriptions_may_outlive_the_stop_and_the_node) {
  for (auto options : {node_options{.scheduler = scheduling::deterministic}, test::on_threads()}) {
    microlith::subscription of_command;
    microlith::subscription of_event;
    microlith::subscription moved;
    {
      running_node node{{}, options};
      of_command = node.commands().subscribe<work>([](const work&) {}).value();
      of_event = node.events().subscribe<work_done>([](const work_done&) {});
      node.stop();
      moved = std::move(of_command);
      moved.reset();
      of_command = {};
    }
    of_event.reset();
  }
}

BOOST_AUTO_TEST_CASE(a_subscription_to_a_stopped_node_is_refused) {
  for (auto options : {node_options{.scheduler = scheduling::deterministic}, test::on_threads()}) {
    running_node node{{}, options};
    auto commands = node.commands();
    auto events = node.events();
    node.stop();
    auto refused = commands.subscribe<work>([](const work&) {});
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().kind == failure_kind::stopped);
    auto nothing = events.subscribe<work_done>([](const work_done&) {});
  }
}

BOOST_AUTO_TEST_CASE(a_handler_may_unsubscribe_itself) {
  running_node node;
  microlith::subscription own;
  int calls = 0;
  own = node.commands()
            .subscribe<work>([&](const work&) {
              ++calls;
              own.reset();
            })
            .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{}).failed());
  node->run();
  BOOST_TEST(node.commands().dispatch_and_wait<accepted>(work{}).failed());
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_SUITE_END()
