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

struct filed {
  using message = microlith::event<"test.filed">;
  std::string cabinet;
};
BOOST_DESCRIBE_STRUCT(filed, (), (cabinet))

stream_id stream_of(const filed& event) {
  if (event.cabinet.empty())
    throw std::runtime_error{"no cabinet"};
  return {"test.cabinet", event.cabinet};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(event_bus)

BOOST_AUTO_TEST_CASE(an_event_from_outside_is_durable_before_anybody_sees_it) {
  running_node node;
  std::uint64_t durable_when_seen = 0;
  auto listener = node.events().subscribe<work_done>([&](const work_done&, context& ctx) {
    durable_when_seen = node->journal().last_position();
    BOOST_TEST(ctx.position() == 1U);
  });
  auto done = node.events().dispatch_and_wait<accepted>(work_done{1});
  BOOST_TEST(answered<accepted>(done).position == 1U);
  node->run();
  BOOST_TEST(durable_when_seen == 1U);
}

BOOST_AUTO_TEST_CASE(an_event_from_outside_answers_a_wait) {
  running_node node;
  auto done = node.events().dispatch_and_wait<work_done>(work_done{4});
  BOOST_TEST(answered<work_done>(done).number == 4);
  BOOST_TEST(done.position == 1U);
  int called = 0;
  node.events().dispatch_and_wait<work_done>(work_done{5}, 1s, [&](const answer<work_done>& a) {
    ++called;
    BOOST_TEST(answered<work_done>(a).number == 5);
  });
  node->run();
  BOOST_TEST(called == 1);
  auto event = correlated(work_done{6});
  node.events().dispatch_and_wait<work_done>(event, 1s, [&](const answer<work_done>& a) {
    ++called;
    BOOST_TEST(answered<work_done>(a).number == 6);
  });
  node->run();
  BOOST_TEST(called == 2);
  // Others who know the conversation find it, too.
  BOOST_TEST(answered<work_done>(node.events().wait_for<work_done>(event.correlation)).number == 6);
}

BOOST_AUTO_TEST_CASE(a_rejection_is_published_and_never_journaled) {
  running_node node;
  test::seen<std::int64_t> heard;
  auto listener =
      node.events().subscribe<work_refused>([&](const work_refused& r) { heard.add(r.number); });
  auto done = node.events().dispatch_and_wait<work_refused>(work_refused{3});
  BOOST_TEST(answered<work_refused>(done).number == 3);
  BOOST_TEST(done.position == 0U);
  node->run();
  BOOST_TEST(heard.count() == 1U);
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(nobody_there_is_fine) {
  running_node node;
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  node->run();
  BOOST_TEST(node->journal().last_position() == 1U);
}

BOOST_AUTO_TEST_CASE(any_number_of_functions_hear_an_event) {
  running_node node;
  test::seen<int> heard;
  std::vector<subscription> all;
  for (int i = 0; i < 5; ++i)
    all.push_back(
        node.events().subscribe<work_done>([&heard, i](const work_done&) { heard.add(i); }));
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  node->run();
  BOOST_TEST(heard.count() == 5U);
  all.pop_back();
  BOOST_TEST(node.events().dispatch(work_done{2}).has_value());
  node->run();
  BOOST_TEST(heard.count() == 9U);
}

BOOST_AUTO_TEST_CASE(several_functions_may_answer_one_event_with_events) {
  running_node node;
  std::vector<subscription> all;
  for (std::int64_t i : {1, 2, 3})
    all.push_back(node.events().subscribe<work_done>(
        [i](const work_done&, context& ctx) { ctx.dispatch(other_work_done{i}); }));
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  node->run();
  BOOST_TEST(node->journal().last_position() == 4U);
}

BOOST_AUTO_TEST_CASE(a_subscription_is_for_the_present_only) {
  running_node node;
  test::seen<std::int64_t> heard;
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  node->run();
  auto listener =
      node.events().subscribe<work_done>([&](const work_done& e) { heard.add(e.number); });
  node->run();
  BOOST_TEST(heard.count() == 0U);
  BOOST_TEST(node.events().dispatch(work_done{2}).has_value());
  node->run();
  BOOST_TEST(heard.all() == std::vector<std::int64_t>{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_subscriber_that_throws_leaves_waits_and_others_alone) {
  test::log_lines log;
  std::optional<answer<other_work_done>> waiting;  // a wait that ends with the node
  running_node node{{worker()}, test::logging_to(log)};
  test::seen<std::int64_t> heard;
  auto broken = node.events().subscribe<work_done>([](const work_done&, context& ctx) {
    ctx.dispatch(other_work_done{1});
    throw std::runtime_error{"a broken subscriber"};
  });
  auto sound = node.events().subscribe<work_done>([&](const work_done& e) { heard.add(e.number); });
  auto command = correlated(work{1});
  node.events().wait_for<other_work_done>(command.correlation, 5s,
                                          [&](const answer<other_work_done>& a) { waiting = a; });
  BOOST_TEST(answered<work_done>(node.commands().dispatch_and_wait<work_done>(command)).number ==
             1);
  node->run();
  BOOST_TEST(heard.count() == 1U);
  BOOST_TEST(!waiting.has_value());
  BOOST_TEST(log.contain("a broken subscriber"));
  BOOST_TEST(node->journal().last_position() == 1U);
  // It hears the next one.
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{2}).failed());
  node->run();
  BOOST_TEST(node.counted().handler_exceptions == 2U);
}

BOOST_AUTO_TEST_CASE(a_subscriber_that_lags_is_told_what_it_missed_and_goes_on_at_the_present) {
  running_node node;
  std::vector<std::string> slow;
  test::seen<std::int64_t> others;
  auto lagging = node.events().subscribe<work_done>(
      [&](const work_done& e) { slow.push_back(std::to_string(e.number)); },
      {.max_pending = 3, .on_missed = [&](const missed_events& missed) {
         slow.push_back("missed " + std::to_string(missed.from) + " to " +
                        std::to_string(missed.to));
       }});
  auto following =
      node.events().subscribe<work_done>([&](const work_done& e) { others.add(e.number); });
  for (int i = 1; i <= 10; ++i)
    BOOST_TEST(node.events().dispatch(work_done{i}).has_value());
  node->run();
  BOOST_TEST(node.events().dispatch(work_done{11}).has_value());
  node->run();
  BOOST_TEST(slow == (std::vector<std::string>{"1", "2", "3", "missed 4 to 10", "11"}),
             boost::test_tools::per_element());
  BOOST_TEST(others.count() == 11U);
  BOOST_TEST(node.counted().missed_by_subscribers == 7U);
}

BOOST_AUTO_TEST_CASE(a_subscriber_that_lags_makes_nobody_wait) {
  running_node node{{worker()}, test::on_threads()};
  std::atomic<bool> go_on{false};
  test::seen<std::int64_t> missed;
  auto lagging = node.events().subscribe<work_done>(
      [&](const work_done&) {
        while (!go_on)
          std::this_thread::yield();
      },
      {.max_pending = 10, .on_missed = [&](const missed_events& m) {
         missed.add(static_cast<std::int64_t>(m.from));
       }});
  for (int i = 0; i < 100; ++i)
    BOOST_REQUIRE(!node.commands().dispatch_and_wait<work_done>(work{i}, 60s).failed());
  BOOST_TEST(node.counted().missed_by_subscribers > 0U);
  go_on = true;
  test::eventually(
      [&] {
        static_cast<void>(node.commands().dispatch(work{1}));
        return missed.count() > 0;
      },
      "the subscriber learns what it missed");
}

BOOST_AUTO_TEST_CASE(every_receiver_sees_events_in_the_order_of_the_journal) {
  running_node node{{accounts()}, test::on_threads()};
  test::seen<std::uint64_t> first;
  test::seen<std::uint64_t> second;
  auto note = [](auto& where) {
    return [&where](const auto&, context& ctx) { where.add(ctx.position()); };
  };
  auto one = node.events().subscribe<account_opened>(note(first));
  auto two = node.events().subscribe<account_opened>(note(second));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          auto owner = std::to_string(t) + "-" + std::to_string(i);
          while (!node.commands().dispatch(open_account{owner}))
            std::this_thread::yield();
        }
      });
    }
  }
  test::eventually([&] { return first.count() == 2'000 && second.count() == 2'000; },
                   "all events have been heard");
  for (const auto& all : {first.all(), second.all()}) {
    BOOST_TEST(std::is_sorted(all.begin(), all.end()));
    BOOST_TEST(all.back() == 2'000U);
  }
}

BOOST_AUTO_TEST_CASE(past_the_bound_events_from_outside_are_refused) {
  running_node node{{}, {.max_events_in_flight = 2, .scheduler = scheduling::deterministic}};
  BOOST_TEST(node.events().dispatch(work_done{1}).has_value());
  BOOST_TEST(node.events().dispatch(work_done{2}).has_value());
  auto refused = node.events().dispatch(work_done{3});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().kind == failure_kind::overloaded);
  node->run();
  BOOST_TEST(node.events().dispatch(work_done{4}).has_value());
}

BOOST_AUTO_TEST_CASE(an_event_whose_append_is_refused_is_heard_by_nobody) {
  auto script = std::make_shared<test::journal_script>();
  script->refuses = [](const append_request&) { return std::optional{test::disk_is_full()}; };
  running_node node{{}, {.scheduler = scheduling::deterministic, .wrap_journal = scripted(script)}};
  test::seen<std::int64_t> heard;
  auto listener =
      node.events().subscribe<work_done>([&](const work_done& e) { heard.add(e.number); });
  auto ended = node.events().dispatch_and_wait<work_done>(work_done{1});
  BOOST_TEST(failure_of(ended).kind == failure_kind::overloaded);
  BOOST_TEST(failure_of(ended).certainty == certainty::not_done);
  node->run();
  BOOST_TEST(heard.count() == 0U);
}

BOOST_AUTO_TEST_CASE(an_event_goes_to_the_stream_that_it_names) {
  running_node node;
  auto done = node.events().dispatch_and_wait<accepted>(filed{"A"});
  BOOST_TEST(!done.failed());
  BOOST_TEST(node->journal().stream_version("test.cabinet/A").value() == 1U);
}

BOOST_AUTO_TEST_CASE(an_event_that_cannot_name_its_stream_fails_and_the_bus_lives_on) {
  running_node node;
  BOOST_TEST(failure_of(node.events().dispatch_and_wait<accepted>(filed{""})).kind ==
             failure_kind::handler_failed);
  BOOST_TEST(!node.events().dispatch_and_wait<accepted>(filed{"B"}).failed());
}

BOOST_AUTO_TEST_SUITE_END()
