#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

namespace {

auto pinging(running_node& node) {
  return node.queries().subscribe<ping>([](const ping& q) { return pong{q.number + 1}; }).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(query_bus)

BOOST_AUTO_TEST_CASE(a_query_is_answered_within_a_limit_of_ten_seconds) {
  running_node node;
  auto handler = pinging(node);
  BOOST_TEST(answered<pong>(node.queries().ask(ping{1}, {.limit = 10s})).number == 2);
}

BOOST_AUTO_TEST_CASE(the_answer_may_go_to_a_function) {
  running_node node;
  auto handler = pinging(node);
  int called = 0;
  node.queries().ask(ping{1}, {.limit = 10s}, [&](const answer<pong>& a) {
    ++called;
    BOOST_TEST(answered<pong>(a).number == 2);
  });
  node->run();
  node->advance(1min);
  BOOST_TEST(called == 1);
}

BOOST_AUTO_TEST_CASE(a_query_is_dispatched_and_its_response_awaited_later) {
  running_node node;
  auto handler = pinging(node);
  auto query = correlated(ping{1});
  BOOST_REQUIRE(node.queries().dispatch(query).has_value());
  node->run();
  BOOST_TEST(answered<pong>(node.queries().wait_for<pong>(query.correlation, 10s)).number == 2);
}

BOOST_AUTO_TEST_CASE(the_wait_may_come_before_the_query) {
  running_node node;
  auto handler = pinging(node);
  auto query = correlated(ping{1});
  std::optional<answer<pong>> got;
  node.queries().wait_for<pong>(query.correlation, 10s, [&](const answer<pong>& a) { got = a; });
  BOOST_REQUIRE(node.queries().dispatch(query).has_value());
  node->run();
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(answered<pong>(*got).number == 2);
}

BOOST_AUTO_TEST_CASE(queries_of_one_conversation_get_their_own_responses) {
  running_node node;
  auto handler = pinging(node);
  auto conversation = correlation_id::make();
  std::vector<std::int64_t> got;
  for (int i = 0; i < 3; ++i)
    node.queries().ask(correlated_in(conversation, ping{i * 10}), {.limit = 10s},
                       [&](const answer<pong>& a) { got.push_back(answered<pong>(a).number); });
  node->run();
  BOOST_TEST(got == (std::vector<std::int64_t>{1, 11, 21}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_query_that_nobody_serves_fails_at_once) {
  running_node node;
  BOOST_TEST(failure_of(node.queries().ask(ping{1})).kind == failure_kind::no_handler);
}

BOOST_AUTO_TEST_CASE(a_handler_may_answer_through_its_context_later) {
  running_node node{{worker()}};
  auto handler = node.queries()
                     .subscribe<ping>([](const ping& q, context& ctx) {
                       ctx.dispatch_and_wait<work_done>(work{q.number})
                           .then([](const work_done& e,
                                    context& then) { then.answer_with(pong{e.number * 2}); },
                                 [](const failure&, context&) {});
                     })
                     .value();
  BOOST_TEST(answered<pong>(node.queries().ask(ping{4})).number == 8);
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_fails_the_query_at_once) {
  running_node node;
  auto handler = node.queries()
                     .subscribe<ping>([](const ping&) -> pong { throw std::runtime_error{"no"}; })
                     .value();
  BOOST_TEST(failure_of(node.queries().ask(ping{1})).kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(a_handler_that_ends_without_an_answer_fails_the_query_at_once) {
  running_node node;
  auto handler = node.queries().subscribe<ping>([](const ping&, context&) {}).value();
  auto why = failure_of(node.queries().ask(ping{1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(past_the_bound_queries_are_refused_at_once) {
  running_node node{{}, {.max_queries_in_flight = 1, .scheduler = scheduling::deterministic}};
  auto handler = pinging(node);
  BOOST_TEST(node.queries().dispatch(ping{1}).has_value());
  auto refused = node.queries().dispatch(ping{2});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().kind == failure_kind::overloaded);
  node->run();
  BOOST_TEST(answered<pong>(node.queries().ask(ping{3})).number == 4);
}

BOOST_AUTO_TEST_CASE(what_asking_leaves_behind_is_nothing) {
  running_node node;
  auto handler = pinging(node);
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(!node.queries().ask(ping{i}).failed());
  node->run();
  BOOST_TEST(node.counted().conversation_slots == 0U);
  BOOST_TEST(node.counted().pending_waits == 0U);
}

BOOST_AUTO_TEST_CASE(threads_ask_at_once_and_get_their_own_answers) {
  running_node node{{}, test::on_threads()};
  auto handler = pinging(node);
  test::seen<std::int64_t> wrong;
  {
    std::vector<std::jthread> threads;
    for (std::int64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::int64_t i = 0; i < 1'000; ++i) {
          auto answer = node.queries().ask(ping{t * 1'000 + i}, {.limit = 60s});
          const auto* got = answer.get_if<pong>();
          if (!got || got->number != t * 1'000 + i + 1)
            wrong.add(i);
        }
      });
    }
  }
  BOOST_TEST(wrong.count() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
