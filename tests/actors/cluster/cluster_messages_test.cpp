// What comes of a message, where others wait for it or listen.

#include "actors/cluster/samples.hpp"

#include <microlith/actors/internal/cluster/cluster.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::cluster_nodes;
using test::failure_of;
namespace wire = internal::wire;

BOOST_AUTO_TEST_SUITE(cluster_messages)

BOOST_AUTO_TEST_CASE(what_is_published_to_a_node_that_takes_nothing_is_kept_up_to_a_bound) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  auto& a = nodes.start("a");
  std::size_t heard = 0;
  auto listens =
      nodes.start("b").events().subscribe<account_opened>([&](const account_opened&) { ++heard; });
  nodes.run();
  nodes.network->freeze("b");
  nodes.network->capacity = 0;
  constexpr std::size_t size_bytes = 4 << 20;
  constexpr std::size_t kept = internal::max_backlog_bytes / size_bytes - 1;
  for (std::size_t i = 0; i < kept + 3; ++i)
    BOOST_TEST(!a.events()
                    .dispatch_and_wait<account_opened>(account_opened{std::string(size_bytes, 'x')})
                    .failed());
  auto at_b = a.cluster().others.front();
  BOOST_TEST(at_b.waiting_bytes <= internal::max_backlog_bytes);
  BOOST_TEST(a.statistics().dropped_for_nodes == 3U);
  nodes.network->capacity = 100'000;
  nodes.network->thaw("b");
  a.advance(1s);
  BOOST_TEST(heard == kept);
}

BOOST_AUTO_TEST_CASE(a_handler_hears_what_its_command_causes_on_other_nodes) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  // c is asked, b does the work, a keeps the journal, and c hears of it in the middle.
  auto outer =
      nodes["c"]
          .commands()
          .subscribe<other_work>([](const other_work& w, context& ctx) {
            ctx.dispatch_and_wait<work_done>(work{w.number})
                .then([](const work_done& done,
                         context& then) { then.dispatch(other_work_done{done.number + 1}); },
                      [](const failure&) {});
          })
          .value();
  auto inner = nodes["b"]
                   .commands()
                   .subscribe<work>(
                       [](const work& w, context& ctx) { ctx.dispatch(work_done{w.number * 10}); })
                   .value();
  nodes.run();
  auto done = nodes["a"].commands().dispatch_and_wait<other_work_done>(other_work{4});
  BOOST_TEST(answered<other_work_done>(done).number == 41);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_handler_hears_what_others_dispatch_in_its_conversation_elsewhere) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  auto& a = nodes.start("a");
  auto waiting = nodes.start("b")
                     .commands()
                     .subscribe<other_work>([](const other_work&, context& ctx) {
                       ctx.wait_for<work_done>(10s).then(
                           [](const work_done& done, context& then) {
                             then.dispatch(other_work_done{done.number + 1});
                           },
                           [](const failure&) {});
                     })
                     .value();
  nodes.run();
  std::int64_t number = 0;
  auto asked = correlated(other_work{1});
  a.commands().dispatch_and_wait<other_work_done>(
      asked, 1h,
      [&](const answer<other_work_done>& got) { number = answered<other_work_done>(got).number; });
  nodes.run();
  BOOST_TEST(number == 0);
  static_cast<void>(a.events().dispatch(correlated_in(asked.correlation, work_done{7})));
  nodes.run();
  BOOST_TEST(number == 8);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(the_failure_of_something_deep_ends_the_wait_at_home) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  for (const char* name : {"a", "b", "c"})
    nodes.start(name);
  auto outer = nodes["c"]
                   .commands()
                   .subscribe<other_work>(
                       [](const other_work& w, context& ctx) { ctx.dispatch(work{w.number}); })
                   .value();
  auto inner = nodes["b"]
                   .commands()
                   .subscribe<work>([](const work&) { throw std::runtime_error{"deep down"}; })
                   .value();
  nodes.run();
  auto ended = nodes["a"].commands().dispatch_and_wait<work_done>(other_work{4});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).text.find("deep down") != std::string::npos);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
