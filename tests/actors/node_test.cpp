#include "support/node.hpp"

#include "samples.hpp"
#include "support/temporary_directory.hpp"

#include <unistd.h>

#include <filesystem>
#include <optional>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(node)

BOOST_AUTO_TEST_CASE(what_was_admitted_is_done_before_the_node_has_stopped) {
  for (unsigned threads : {1u, 2u}) {
    running_node node{{accounts()}, {.threads = threads, .drain = test::stuck_after}};
    test::seen<bool> ended_well;
    for (int i = 0; i < 500; ++i)
      node.commands().dispatch_and_wait<account_opened>(
          open_account{std::to_string(i)}, 60s,
          [&](const answer<account_opened>& a) { ended_well.add(!a.failed()); });
    node.stop();
    auto all = ended_well.all();
    BOOST_TEST(all.size() == 500U);
    BOOST_TEST(std::count(all.begin(), all.end(), true) == 500);
  }
}

BOOST_AUTO_TEST_CASE(a_conversation_that_runs_is_drained) {
  running_node node{{worker()}, {.threads = 2, .drain = test::stuck_after}};
  auto handler = node.commands()
                     .subscribe<other_work>([](const other_work& c, context& ctx) {
                       if (c.number == 0)
                         return;
                       ctx.dispatch_and_wait<work_done>(work{c.number})
                           .then(
                               [number = c.number](const work_done&, context& then) {
                                 then.dispatch(other_work_done{number});
                               },
                               [](const failure&) {});
                     })
                     .value();
  test::seen<bool> ended_well;
  for (int i = 1; i <= 50; ++i)
    node.commands().dispatch_and_wait<other_work_done>(
        other_work{i}, 60s, [&](const answer<other_work_done>& a) { ended_well.add(!a.failed()); });
  node.stop();
  auto all = ended_well.all();
  BOOST_TEST(all.size() == 50U);
  BOOST_TEST(std::count(all.begin(), all.end(), true) == 50);
}

BOOST_AUTO_TEST_CASE(a_conversation_that_does_not_end_is_cut_off) {
  running_node node{{}, {.threads = 2, .drain = 10ms}};
  auto handler =
      node.commands()
          .subscribe<work>([](const work&, context& ctx) {
            ctx.wait_for<work_done>(1h).then([](const work_done&) {}, [](const failure&) {});
          })
          .value();
  test::seen<failure_kind> ended;
  node.commands().dispatch_and_wait<work_done>(
      work{1}, 1h, [&](const answer<work_done>& a) { ended.add(failure_of(a).kind); });
  node.stop();
  BOOST_REQUIRE(ended.count() == 1U);
  BOOST_TEST(ended.all().front() == failure_kind::stopped);
}

BOOST_AUTO_TEST_CASE(a_second_stop_does_nothing) {
  for (auto options : {node_options{.scheduler = scheduling::deterministic}, test::on_threads()}) {
    running_node node{{worker()}, options};
    node.stop();
    node.stop();
  }
}

BOOST_AUTO_TEST_CASE(handles_of_a_stopped_node_say_so) {
  for (auto options : {node_options{.scheduler = scheduling::deterministic}, test::on_threads()}) {
    running_node node{{worker()}, options};
    auto commands = node.commands();
    auto queries = node.queries();
    auto events = node.events();
    auto command = correlated(work{1});
    node.stop();
    auto sent = commands.dispatch(command);
    BOOST_REQUIRE(!sent.has_value());
    BOOST_TEST(sent.error().kind == failure_kind::stopped);
    BOOST_TEST(failure_of(commands.dispatch_and_wait<work_done>(work{1})).kind ==
               failure_kind::stopped);
    BOOST_TEST(failure_of(queries.ask(ping{1})).kind == failure_kind::stopped);
    BOOST_TEST(failure_of(events.wait_for<work_done>(correlation_id::make())).kind ==
               failure_kind::stopped);
    BOOST_TEST(failure_of(events.dispatch_and_wait<accepted>(work_done{1})).kind ==
               failure_kind::stopped);
    int called = 0;
    auto note = [&](const auto& a) {
      ++called;
      BOOST_TEST(failure_of(a).kind == failure_kind::stopped);
    };
    events.wait_for<work_done>(correlation_id::make(), 1s, note);
    commands.dispatch_and_wait<work_done>(work{1}, 1s, note);
    queries.ask(ping{1}, {}, note);
    BOOST_TEST(called == 3);
  }
}

BOOST_AUTO_TEST_CASE(handles_may_outlive_the_node) {
  std::optional<command_bus> commands;
  std::optional<event_bus> events;
  {
    running_node node{{worker()}, test::on_threads()};
    commands.emplace(node.commands());
    events.emplace(node.events());
    BOOST_TEST(!commands->dispatch_and_wait<work_done>(work{1}, 60s).failed());
  }
  BOOST_TEST(commands->dispatch(work{1}).error().kind == failure_kind::stopped);
  BOOST_TEST(failure_of(events->wait_for<work_done>(correlation_id::make())).kind ==
             failure_kind::stopped);
}

BOOST_AUTO_TEST_CASE(threads_that_dispatch_while_the_node_stops_all_get_an_end) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::atomic<int> called{0};
    std::atomic<bool> go_on{true};
    std::vector<std::jthread> threads;
    {
      running_node node{{accounts()}, {.threads = 2, .drain = 100ms}};
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t, commands = node.commands(), events = node.events()] {
          for (int i = 0; go_on; ++i) {
            auto owner = std::to_string(t) + "-" + std::to_string(i);
            begun += 2;
            static_cast<void>(commands.dispatch_and_wait<accepted>(open_account{owner}, 60s));
            ++ended;
            events.wait_for<account_opened>(correlation_id::make(), 60s,
                                            [&](const answer<account_opened>&) { ++called; });
            ++ended;
          }
        });
      }
      test::eventually([&] { return begun > 30; }, "the threads are at work");
      node.stop();
      go_on = false;
      threads.clear();
    }
    BOOST_TEST(begun == ended);
    BOOST_TEST(called == ended / 2);
  }
}

BOOST_AUTO_TEST_CASE(a_second_node_on_one_directory_is_refused_and_told_who_has_it) {
  test::temporary_directory data;
  node_options options{.data = data.path(), .scheduler = scheduling::deterministic};
  running_node first{{worker()}, options};
  auto second = microlith::node::start(options, {worker()});
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST((second.error().kind == storage_error_kind::owned));
  BOOST_TEST(second.error().text.find(std::to_string(::getpid())) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_directory_is_free_again_after_the_stop) {
  test::temporary_directory data;
  node_options options{.data = data.path(), .scheduler = scheduling::deterministic};
  for (int i = 1; i <= 3; ++i) {
    running_node node{{accounts()}, options};
    auto done =
        node.commands().dispatch_and_wait<account_opened, account_refused>(open_account{"ann"});
    BOOST_TEST((done.get_if<account_opened>() != nullptr) == (i == 1));
  }
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_used_is_an_error) {
  auto started = microlith::node::start({.data = "/proc/nowhere"}, {worker()});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(!started.error().text.empty());
}

BOOST_AUTO_TEST_CASE(the_map_of_its_journal_has_the_limit_that_it_is_given) {
  test::temporary_directory data;
  constexpr std::size_t limit = std::size_t{1} << 20;
  running_node node{
      {accounts()},
      {.data = data.path(), .journal_map_bytes = limit, .scheduler = scheduling::deterministic}};
  std::optional<failure> refused;
  for (int i = 0; i < 2'000 && !refused; ++i) {
    auto opened = node.commands().dispatch_and_wait<account_opened>(
        open_account{std::string(900, 'x') + std::to_string(i)});
    if (opened.failed())
      refused = failure_of(opened);
  }
  BOOST_TEST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->kind == failure_kind::overloaded), to_string(*refused));
  BOOST_TEST((refused->certainty == certainty::not_done));
  BOOST_TEST(refused->text.find("raise the map limit") != std::string::npos, refused->text);
  BOOST_TEST(std::filesystem::file_size(test::directory_of_the_journal(data.path()) / "journal" /
                                        "data.mdb") <= limit);
  BOOST_TEST(node->journal().last_position() > 100U);
}

BOOST_AUTO_TEST_CASE(two_components_that_serve_one_command_do_not_start) {
  auto started =
      microlith::node::start({.scheduler = scheduling::deterministic}, {accounts(), accounts()});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().text.find("test.open_account") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_moves) {
  auto started =
      microlith::node::start({.scheduler = scheduling::deterministic}, {worker()}).value();
  auto moved = std::move(started);
  BOOST_TEST(!moved.commands().dispatch_and_wait<work_done>(work{1}).failed());
  moved = microlith::node::start({.scheduler = scheduling::deterministic}, {accounts()}).value();
  BOOST_TEST(!moved.commands().dispatch_and_wait<account_opened>(open_account{"a"}).failed());
  BOOST_TEST(moved.commands().dispatch_and_wait<work_done>(work{1}).failed());
}

BOOST_AUTO_TEST_CASE(a_component_may_be_hosted_later) {
  running_node node{{worker()}};
  BOOST_REQUIRE(node->host(accounts({.idle = 1s})).has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  node->advance(1s);
  node->advance(1s);
  auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 3});
  BOOST_TEST(answered<deposited>(done).balance == 3);
}

BOOST_AUTO_TEST_CASE(the_origin_of_a_conversation_is_the_name_of_its_node) {
  running_node node{{}, {.name = "here", .scheduler = scheduling::deterministic}};
  std::string origin;
  auto handler =
      node.commands()
          .subscribe<work>([&](const work&, context& ctx) { origin = facts_of(ctx.head()).origin; })
          .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{1}).failed());
  BOOST_TEST(origin == "here");
}

BOOST_AUTO_TEST_CASE(runs_of_a_deterministic_node_repeat) {
  auto run = [] {
    std::vector<std::string> trace;
    running_node node{{accounts()}};
    auto note = [&](const auto& event, context& ctx) {
      trace.push_back(event.owner + " at " + std::to_string(ctx.now().time_since_epoch().count()));
    };
    auto opened = node.events().subscribe<account_opened>(note);
    auto refused = node.events().subscribe<account_refused>(note);
    for (const char* owner : {"a", "b", "a", "c"}) {
      static_cast<void>(node.commands().dispatch(open_account{owner}));
      node->advance(7ms);
    }
    return trace;
  };
  auto first = run();
  BOOST_TEST(first.size() == 4U);
  BOOST_TEST(first == run(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
