#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(context)

BOOST_AUTO_TEST_CASE(what_a_handler_dispatches_leaves_atomically_when_it_returns) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{}, {.scheduler = scheduling::deterministic, .wrap_journal = scripted(script)}};
  auto handler = node.commands()
                     .subscribe<work>([](const work&, microlith::context& ctx) {
                       ctx.dispatch(work_done{1});
                       ctx.dispatch(other_work_done{2});
                       ctx.dispatch(work_done{3});
                     })
                     .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{1}).failed());
  BOOST_TEST(node->journal().last_position() == 3U);
  BOOST_TEST(script->batches == std::vector<std::size_t>{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_leaves_if_the_handler_throws) {
  test::seen<std::int64_t> heard;
  running_node node;
  auto other = node.commands()
                   .subscribe<other_work>([&](const other_work& c) { heard.add(c.number); })
                   .value();
  auto events =
      node.events().subscribe<work_done>([&](const work_done& e) { heard.add(e.number); });
  auto rejections =
      node.events().subscribe<work_refused>([&](const work_refused& e) { heard.add(e.number); });
  auto handler = node.commands()
                     .subscribe<work>([](const work&, microlith::context& ctx) {
                       ctx.dispatch(work_done{1});
                       ctx.dispatch(other_work{2});
                       ctx.dispatch(work_refused{3});
                       throw std::runtime_error{"after all"};
                     })
                     .value();
  BOOST_TEST(node.commands().dispatch_and_wait<work_done>(work{1}).failed());
  node->run();
  BOOST_TEST(heard.count() == 0U);
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(commands_leave_after_the_events_are_durable) {
  std::vector<std::uint64_t> positions;
  running_node node;
  auto other = node.commands()
                   .subscribe<other_work>([&](const other_work&) {
                     positions.push_back(node.counted().journal_position);
                   })
                   .value();
  auto handler = node.commands()
                     .subscribe<work>([](const work&, microlith::context& ctx) {
                       ctx.dispatch(other_work{1});
                       ctx.dispatch(work_done{1});
                     })
                     .value();
  BOOST_TEST(node.commands().dispatch(work{1}).has_value());
  node->run();
  BOOST_TEST(positions == std::vector<std::uint64_t>{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_caused_inherits_the_conversation) {
  std::vector<envelope_head> heads;
  auto note = [&](const auto&, microlith::context& ctx) { heads.push_back(ctx.head()); };
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([&](const work&, microlith::context& ctx) {
                       heads.push_back(ctx.head());
                       ctx.dispatch(other_work{1});
                     })
                     .value();
  auto other = node.commands()
                   .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
                     heads.push_back(ctx.head());
                     ctx.dispatch(work_done{1});
                   })
                   .value();
  auto listener = node.events().subscribe<work_done>(note);
  auto command = correlated(work{1}, {.subject = "ann", .roles = {"admin"}}, {{"trace", "t-1"}});
  BOOST_TEST(node.commands().dispatch(command).has_value());
  node->run();
  BOOST_REQUIRE(heads.size() == 3U);
  BOOST_TEST(heads[0].id == command.id);
  BOOST_TEST(heads[0].causation.empty());
  for (std::size_t i = 0; i < heads.size(); ++i) {
    BOOST_TEST(heads[i].correlation == command.correlation);
    BOOST_TEST(heads[i].root == command.id);
    BOOST_TEST(heads[i].depth == i);
    BOOST_TEST(facts_of(heads[i]).principal.subject == "ann");
    BOOST_TEST(facts_of(heads[i]).principal.has_role("admin"));
    BOOST_TEST(facts_of(heads[i]).headers.at("trace") == "t-1");
    BOOST_TEST(facts_of(heads[i]).origin == "node");
    if (i > 0) {
      BOOST_TEST(heads[i].causation == heads[i - 1].id);
      BOOST_TEST(heads[i].id > heads[i - 1].id);
    }
  }
}

BOOST_AUTO_TEST_CASE(who_asks_is_known_to_the_handler) {
  std::string subject;
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>(
                         [&](const work&, microlith::context& ctx) { subject = ctx.who().subject; })
                     .value();
  BOOST_TEST(node.commands().dispatch(correlated(work{1}, {.subject = "bob"})).has_value());
  node->run();
  BOOST_TEST(subject == "bob");
}

BOOST_AUTO_TEST_CASE(a_subscribed_function_dispatches_events) {
  running_node node{{worker()}};
  auto chained =
      node.events().subscribe<work_done>([](const work_done& e, microlith::context& ctx) {
        ctx.dispatch(other_work_done{e.number * 10});
      });
  auto command = correlated(work{4});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto done = node.events().wait_for<other_work_done>(command.correlation);
  BOOST_TEST(answered<other_work_done>(done).number == 40);
  std::optional<answer<other_work_done>> early;
  auto second = correlated(work{5});
  node.events().wait_for<other_work_done>(second.correlation, 5s,
                                          [&](const answer<other_work_done>& a) { early = a; });
  BOOST_REQUIRE(node.commands().dispatch(second).has_value());
  node->run();
  BOOST_REQUIRE(early.has_value());
  BOOST_TEST(answered<other_work_done>(*early).number == 50);
}

BOOST_AUTO_TEST_CASE(a_blocking_wait_in_a_handler_is_refused_at_once_and_says_so) {
  running_node node{{worker()}};
  std::vector<failure> why;
  auto handler =
      node.commands()
          .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
            why.push_back(failure_of(node.events().wait_for<work_done>(ctx.correlation())));
            why.push_back(failure_of(node.commands().dispatch_and_wait<accepted>(work{1})));
            why.push_back(failure_of(node.queries().ask(ping{1})));
          })
          .value();
  auto before = node->runtime()->steady_now();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  BOOST_TEST((node->runtime()->steady_now() == before));
  BOOST_REQUIRE(why.size() == 3U);
  for (const auto& each : why) {
    BOOST_TEST(each.kind == failure_kind::handler_failed);
    BOOST_TEST(each.text.find("context") != std::string::npos);
  }
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(a_blocking_wait_in_a_handler_is_refused_with_one_thread) {
  running_node node{{worker()}, test::on_threads(1)};
  auto handler = node.commands()
                     .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
                       if (node.commands().dispatch_and_wait<work_done>(work{1}).failed())
                         ctx.dispatch(other_work_done{1});
                     })
                     .value();
  auto done = node.commands().dispatch_and_wait<other_work_done>(other_work{1}, 60s);
  BOOST_TEST(answered<other_work_done>(done).number == 1);
}

BOOST_AUTO_TEST_SUITE_END()
