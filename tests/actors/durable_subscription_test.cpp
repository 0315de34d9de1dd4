// Handlers with side effects: every event at least once, in order by key. durable_failures_test.cpp
// has what fails.

#include "posted_events.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(durable_subscription, posted_events)

BOOST_AUTO_TEST_CASE(every_event_is_delivered_also_those_of_the_past) {
  {
    running_node node{{}, options()};
    post(node, "a", 1);
    post(node, "b", 1);
    node->run();
  }
  running_node node{{notes()}, options()};
  node->run();
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "b1", "a2");
  BOOST_TEST_TEXTS(journaled(node->journal()), "a1", "b1", "a2");
  BOOST_TEST(state(node).lag == 0U);
  BOOST_TEST(state(node).in_flight == 0U);
  BOOST_TEST(state(node).delivered == 3U);
}

BOOST_AUTO_TEST_CASE(one_that_starts_now_leaves_the_past_alone) {
  {
    running_node node{{}, options()};
    post(node, "a", 1);
    node->run();
  }
  running_node node{{notes({.start = subscription_start::next_event})}, options()};
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a2");
}

BOOST_AUTO_TEST_CASE(it_goes_on_where_it_was) {
  {
    running_node node{{notes()}, options()};
    post(node, "a", 1);
    node->run();
  }
  running_node node{{notes()}, options()};
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "a2");
}

BOOST_AUTO_TEST_CASE(an_event_that_is_delivered_again_appends_nothing_twice) {
  {
    running_node node{{notes()}, options()};
    for (int i = 1; i <= 3; ++i)
      post(node, "a", i);
    node->run();
  }
  // The node died before it had noted that they are done.
  fs::remove_all(test::directory_of_the_journal(data.path()) / "subscriptions");
  running_node node{{notes()}, options()};
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "a2", "a3", "a1", "a2", "a3");
  BOOST_TEST_TEXTS(journaled(node->journal()), "a1", "a2", "a3");
  BOOST_TEST(state(node).failures == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_handler_dispatches_is_caused_by_the_event) {
  running_node node{{notes()}, options()};
  auto event = correlated(posted{"a", 1});
  BOOST_TEST(node.events().dispatch(event).has_value());
  node->run();
  message_id cause;
  correlation_id conversation;
  BOOST_TEST(node->journal()
                 .read(2, {.events = 1},
                       [&](const record_view& r) {
                         cause = r.causation;
                         conversation = r.correlation;
                         return false;
                       })
                 .has_value());
  BOOST_TEST(cause == event.id);
  BOOST_TEST(conversation == event.correlation);
}

BOOST_AUTO_TEST_CASE(the_window_bounds_what_is_in_flight) {
  // Handlers that wait for a word: nothing ends by itself.
  component hosted{"test.waits"};
  std::size_t begun = 0;
  hosted.durably_on<posted>(
      "test.waits", [](const posted& e) { return e.key; },
      [&](const posted&, context& ctx) {
        ++begun;
        ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
      },
      {.window = 4});
  running_node node{{hosted}, options()};
  std::vector<correlated_message<posted>> events;
  for (int i = 0; i < 10; ++i) {
    events.push_back(correlated(posted{std::to_string(i), i}));
    BOOST_TEST(node.events().dispatch(events.back()).has_value());
  }
  node->run();
  BOOST_TEST(begun == 4U);
  BOOST_TEST(state(node, "test.waits").in_flight == 4U);
  BOOST_TEST(state(node, "test.waits").lag == 10U);
  // A deliverer's wait is served where it is, or where the message began or came by.
  BOOST_TEST(node.worker()
                 .events()
                 .dispatch(correlated_in(events[0].correlation, work_done{}))
                 .has_value());
  node->run();
  BOOST_TEST(begun == 5U);
  for (int i = 0; i < 5; ++i)
    node->advance(10s);
  BOOST_TEST(begun == 10U);
  BOOST_TEST(state(node, "test.waits").in_flight == 0U);
  BOOST_TEST(state(node, "test.waits").lag == 0U);
}

BOOST_AUTO_TEST_CASE(events_of_one_key_go_one_after_the_other) {
  component hosted{"test.waits"};
  texts begun;
  hosted.durably_on<posted>(
      "test.waits", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        begun.push_back(e.key + std::to_string(e.number));
        ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
      });
  running_node node{{hosted}, options()};
  for (int i = 1; i <= 2; ++i)
    for (const char* key : {"a", "b"})
      post(node, key, i);
  node->run();
  BOOST_TEST_TEXTS(begun, "a1", "b1");
  node->advance(10s);
  // Which of the keys comes first is nobody's promise.
  BOOST_TEST_REQUIRE(begun.size() == 4U);
  std::sort(begun.begin() + 2, begun.end());
  BOOST_TEST_TEXTS(begun, "a1", "b1", "a2", "b2");
  node->advance(10s);
}

BOOST_AUTO_TEST_CASE(several_events_share_the_order_of_a_key) {
  component hosted{"test.both"};
  texts order;
  microlith::durable_subscription both{"test.both"};
  both.on<account_opened>([](const account_opened& e) { return e.owner; },
                          [&](const account_opened& e) { order.push_back("open " + e.owner); });
  both.on<deposited>([](const deposited& e) { return e.owner; },
                     [&](const deposited& e) { order.push_back("deposit " + e.owner); });
  hosted.subscribes(both);
  running_node node{{accounts(), hosted}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  node->run();
  BOOST_TEST_TEXTS(order, "open ann", "deposit ann");
  BOOST_TEST(describe({hosted}).find("test.deposited") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stopping_node_lets_what_is_in_flight_end) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  std::atomic<bool> begun{false};
  component hosted{"test.slow"};
  hosted.durably_on<posted>(
      "test.slow", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        begun = true;
        ctx.ask(ping{e.number}, {.limit = 60s})
            .then(
                [e](const pong&, context& then) {
                  then.dispatch(delivered{e.key, e.number});
                },
                [](const failure& why) { throw std::runtime_error{why.text}; });
      });
  {
    running_node node{{hosted}, threaded};
    auto answers =
        node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
    for (int i = 0; i < 20; ++i)
      BOOST_TEST(node.events().dispatch(posted{std::to_string(i), i}).has_value());
    test::eventually([&] { return begun.load(); }, "a delivery");
    node.stop();
  }
  running_node node{{hosted}, options()};
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  node->run();
  node->advance(1s);
  auto all = journaled(node->journal());
  BOOST_TEST(all.size() == 20U);
  BOOST_TEST(std::set<std::string>(all.begin(), all.end()).size() == 20U);
  BOOST_TEST(state(node, "test.slow").parked_keys == 0U);
}

BOOST_AUTO_TEST_CASE(many_keys_on_many_threads_keep_their_order) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  std::mutex mutex;
  std::map<std::string, std::vector<std::int64_t>> by_key;
  component hosted{"test.many"};
  hosted.durably_on<posted>(
      "test.many", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        {
          std::lock_guard lock{mutex};
          auto& all = by_key[e.key];
          // Every seventh one fails once.
          if (e.number % 7 == 0 && (all.empty() || all.back() != -e.number)) {
            all.push_back(-e.number);
            throw std::runtime_error{"seven"};
          }
          if (!all.empty() && all.back() == -e.number)
            all.pop_back();
          all.push_back(e.number);
        }
        ctx.dispatch(delivered{e.key, e.number});
      },
      {.window = 16, .workers = 3, .retries = {.times = 3, .first_delay = 1ms, .max_delay = 1ms}});
  running_node node{{hosted}, threaded};
  constexpr std::int64_t per_key = 20;
  for (std::int64_t i = 1; i <= per_key; ++i)
    for (const char* key : {"a", "b", "c", "d", "e"})
      BOOST_TEST_REQUIRE(node.events().dispatch(posted{key, i}).has_value());
  test::eventually([&] { return journaled(node->journal()).size() == 5 * per_key; }, "all events");
  test::eventually([&] { return state(node, "test.many").lag == 0; }, "the checkpoint");
  for (const auto& [key, all] : by_key) {
    BOOST_TEST_REQUIRE(all.size() == static_cast<std::size_t>(per_key));
    for (std::int64_t i = 1; i <= per_key; ++i)
      BOOST_TEST(all[static_cast<std::size_t>(i - 1)] == i);
  }
}

BOOST_AUTO_TEST_CASE(it_needs_a_data_directory) {
  auto started = microlith::node::start({.scheduler = scheduling::deterministic}, {notes()});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().text.find("data") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
