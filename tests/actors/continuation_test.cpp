// Waits inside of handlers.

#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(continuation)

BOOST_AUTO_TEST_CASE(a_handler_waits_without_blocking_and_serves_others_meanwhile) {
  std::vector<std::string> order;
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([&](const work& c, microlith::context& ctx) {
                       order.push_back("begin " + std::to_string(c.number));
                       if (c.number != 1)
                         return;
                       ctx.wait_for<work_done>().then(
                           [&](const work_done& e, microlith::context& then) {
                             order.push_back("go on");
                             then.dispatch(other_work_done{e.number});
                           },
                           [](const failure&) {});
                     })
                     .value();
  auto first = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(first).has_value());
  BOOST_REQUIRE(node.commands().dispatch(work{2}).has_value());
  node->run();
  BOOST_TEST(node.in_flight() == 1U);
  BOOST_REQUIRE(node.events().dispatch(correlated_in(first.correlation, work_done{8})).has_value());
  auto done = node.events().wait_for<other_work_done>(first.correlation);
  BOOST_TEST(answered<other_work_done>(done).number == 8);
  BOOST_TEST(order == (std::vector<std::string>{"begin 1", "begin 2", "go on"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_handler_waits_with_one_thread) {
  running_node node{{worker()}, test::on_threads(1)};
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<other_work>([](const other_work& c, microlith::context& ctx) {
                       ctx.dispatch_and_wait<work_done>(work{c.number})
                           .then(
                               [](const work_done& e, microlith::context& then) {
                                 then.ask(ping{e.number})
                                     .then(
                                         [](const pong& p, microlith::context& last) {
                                           last.dispatch(other_work_done{p.number});
                                         },
                                         [](const failure&) {});
                               },
                               [](const failure&) {});
                     })
                     .value();
  for (int i = 0; i < 100; ++i) {
    auto done = node.commands().dispatch_and_wait<other_work_done>(other_work{i}, 60s);
    BOOST_TEST_REQUIRE(answered<other_work_done>(done).number == i);
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_dispatches_the_same_command_again_waits_for_the_new_one) {
  running_node node{{worker()}};
  std::vector<std::int64_t> got;
  auto handler = node.commands()
                     .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
                       ctx.dispatch_and_wait<work_done>(work{1}).then(
                           [&](const work_done& first, microlith::context& then) {
                             got.push_back(first.number);
                             then.dispatch_and_wait<work_done>(work{2}).then(
                                 [&](const work_done& second) { got.push_back(second.number); },
                                 [](const failure&) {});
                           },
                           [](const failure&) {});
                     })
                     .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  BOOST_TEST(got == (std::vector<std::int64_t>{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_handler_that_dispatches_two_commands_gets_each_its_own_answer) {
  running_node node{{worker()}};
  std::map<std::int64_t, std::int64_t> got;
  auto handler =
      node.commands()
          .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
            for (std::int64_t i : {1, 2})
              ctx.dispatch_and_wait<work_done>(work{i}).then(
                  [&got, i](const work_done& e) { got[i] = e.number; }, [](const failure&) {});
          })
          .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  BOOST_TEST(got.size() == 2U);
  BOOST_TEST(got[1] == 1);
  BOOST_TEST(got[2] == 2);
}

BOOST_AUTO_TEST_CASE(a_handler_waits_for_what_its_command_causes_by_way_of_others) {
  running_node node{{worker(), accounts()}};
  std::optional<std::string> owner;
  auto chained =
      node.events().subscribe<work_done>([](const work_done& e, microlith::context& ctx) {
        ctx.dispatch(open_account{std::to_string(e.number)});
      });
  auto handler =
      node.commands()
          .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
            ctx.dispatch_and_wait<account_opened>(work{5}).then(
                [&](const account_opened& e) { owner = e.owner; }, [](const failure&) {});
          })
          .value();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(other_work{1}).failed());
  BOOST_REQUIRE(owner.has_value());
  BOOST_TEST(*owner == "5");
}

BOOST_AUTO_TEST_CASE(a_handler_may_wait_although_the_asker_has_its_answer_already) {
  running_node node{{worker()}};
  std::optional<bool> answered_second;
  // Goes on with the conversation when the one who began it has gone.
  auto chained =
      node.events().subscribe<work_done>([&](const work_done& e, microlith::context& ctx) {
        if (e.number != 1)
          return;
        ctx.dispatch_and_wait<work_done>(work{2}).then(
            [&](const work_done& second) { answered_second = second.number == 2; },
            [&](const failure&) { answered_second = false; });
      });
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{1}).failed());
  node->run();
  node->advance(10s);
  BOOST_REQUIRE(answered_second.has_value());
  BOOST_TEST(*answered_second);
}

BOOST_AUTO_TEST_CASE(a_handler_learns_that_nobody_serves_what_it_waits_for) {
  running_node node;
  std::optional<failure_kind> why;
  auto handler =
      node.commands()
          .subscribe<work>([&](const work&, microlith::context& ctx) {
            ctx.dispatch_and_wait<other_work_done>(other_work{1})
                .then([](const other_work_done&) {}, [&](const failure& f) { why = f.kind; });
          })
          .value();
  // The failure is dealt with by who waited for it; the command itself ended well.
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{1}).failed());
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(*why == failure_kind::no_handler);
}

BOOST_AUTO_TEST_CASE(a_command_is_done_when_its_last_continuation_has_ended) {
  running_node node{{worker()}};
  std::vector<std::string> order;
  auto handler =
      node.commands()
          .subscribe<other_work>([&](const other_work&, microlith::context& ctx) {
            ctx.dispatch_and_wait<work_done>(work{1}).then(
                [&](const work_done&) { order.push_back("continued"); }, [](const failure&) {});
          })
          .value();
  node.commands().dispatch_and_wait<accepted>(other_work{1}, 5s, [&](const answer<accepted>& a) {
    BOOST_TEST(!a.failed());
    order.push_back("accepted");
  });
  node->run();
  BOOST_TEST(order == (std::vector<std::string>{"continued", "accepted"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(accepted_after_a_continuation_has_the_position_of_all_events) {
  running_node node;
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([](const work& c, microlith::context& ctx) {
                       ctx.dispatch(work_done{c.number});
                       ctx.ask(ping{1}).then([](const pong&) {}, [](const failure&) {});
                     })
                     .value();
  auto done = node.commands().dispatch_and_wait<accepted>(work{1});
  BOOST_TEST(answered<accepted>(done).position == 1U);
}

BOOST_AUTO_TEST_CASE(events_of_a_continuation_follow_those_of_the_handler) {
  running_node node;
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([](const work&, microlith::context& ctx) {
                       ctx.dispatch(work_done{1});
                       ctx.ask(ping{1}).then(
                           [](const pong&, microlith::context& then) {
                             then.dispatch(other_work_done{2});
                             then.dispatch(other_work{3});
                           },
                           [](const failure&) {});
                     })
                     .value();
  std::uint64_t durable_then = 0;
  auto other = node.commands()
                   .subscribe<other_work>([&](const other_work&) {
                     durable_then = node.worker().journal().last_position();
                   })
                   .value();
  auto done = node.commands().dispatch_and_wait<accepted>(work{1});
  BOOST_TEST(answered<accepted>(done).position == 2U);
  node->run();
  BOOST_TEST(durable_then == 2U);
}

BOOST_AUTO_TEST_CASE(a_continuation_that_throws_fails_the_command) {
  running_node node;
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([](const work&, microlith::context& ctx) {
                       ctx.dispatch(other_work_done{1});
                       ctx.ask(ping{1}).then(
                           [](const pong&, microlith::context& then) {
                             then.dispatch(work_done{1});
                             throw std::runtime_error{"in a continuation"};
                           },
                           [](const failure&) {});
                     })
                     .value();
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("in a continuation") != std::string::npos);
  // The first part has been done.
  BOOST_TEST(why.certainty == certainty::unknown);
  BOOST_TEST(node->journal().last_position() == 1U);
  BOOST_TEST(!node.commands().dispatch_and_wait<other_work_done>(work{2}).failed());
}

BOOST_AUTO_TEST_CASE(a_continuation_runs_when_its_wait_times_out) {
  running_node node;
  std::optional<failure_kind> why;
  auto handler = node.commands()
                     .subscribe<work>([&](const work&, microlith::context& ctx) {
                       ctx.wait_for<work_done>(2s).then([](const work_done&) {},
                                                        [&](const failure& f) { why = f.kind; });
                     })
                     .value();
  BOOST_TEST(node.commands().dispatch(work{1}).has_value());
  node->advance(1'999ms);
  BOOST_TEST(!why.has_value());
  node->advance(1ms);
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(*why == failure_kind::timeout);
}

BOOST_AUTO_TEST_CASE(what_is_sent_past_the_deadline_of_the_conversation_is_not_begun) {
  running_node node;
  test::seen<std::int64_t> begun;
  auto other = node.commands()
                   .subscribe<other_work>([&](const other_work& c) { begun.add(c.number); })
                   .value();
  auto handler =
      node.commands()
          .subscribe<work>([](const work&, microlith::context& ctx) {
            ctx.dispatch(other_work{1});
            ctx.wait_for<work_done>(2s).then(
                [](const work_done&) {},
                [](const failure&, microlith::context& then) { then.dispatch(other_work{2}); });
          })
          .value();
  BOOST_TEST(node.commands().dispatch_and_wait<other_work_done>(work{1}, 1s).failed());
  node->advance(5s);
  BOOST_TEST(begun.all() == std::vector<std::int64_t>{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_handler_that_is_unsubscribed_while_it_waits_ends_its_command_as_stopped) {
  running_node node;
  bool went_on = false;
  auto handler = node.commands()
                     .subscribe<work>([&](const work&, microlith::context& ctx) {
                       ctx.wait_for<work_done>(1h).then([&](const work_done&) { went_on = true; },
                                                        [&](const failure&) { went_on = true; });
                     })
                     .value();
  std::optional<answer<other_work_done>> ended;
  node.commands().dispatch_and_wait<other_work_done>(
      work{1}, 1h, [&](const answer<other_work_done>& a) { ended = a; });
  node->run();
  BOOST_TEST(!ended.has_value());
  handler.reset();
  node->run();
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(failure_of(*ended).kind == failure_kind::stopped);
  BOOST_TEST(!went_on);
}

BOOST_AUTO_TEST_CASE(an_append_that_is_refused_fails_the_command_once_although_it_waits) {
  auto script = std::make_shared<test::journal_script>();
  script->refuses = [](const append_request& r) -> std::optional<failure> {
    return r.events.empty() ? std::nullopt : std::optional{test::disk_is_full()};
  };
  running_node node{{}, {.scheduler = scheduling::deterministic, .wrap_journal = scripted(script)}};
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([](const work& c, microlith::context& ctx) {
                       ctx.dispatch(work_done{c.number});
                       ctx.ask(ping{1}).then([](const pong&) {}, [](const failure&) {});
                     })
                     .value();
  auto ended = node.commands().dispatch_and_wait<accepted>(work{1});
  BOOST_TEST(failure_of(ended).kind == failure_kind::overloaded);
  BOOST_TEST(node.in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(a_continuation_of_a_command_that_has_failed_does_not_run) {
  auto script = std::make_shared<test::journal_script>();
  script->refuses = [](const append_request&) { return std::optional{test::disk_is_full()}; };
  running_node node{{}, {.scheduler = scheduling::deterministic, .wrap_journal = scripted(script)}};
  bool went_on = false;
  auto handler =
      node.commands()
          .subscribe<work>([&](const work& c, microlith::context& ctx) {
            ctx.dispatch(work_done{c.number});
            ctx.wait_for<other_work_done>(1s).then(
                [&](const other_work_done&) { went_on = true; },
                [&](const failure& why) { went_on = why.kind == failure_kind::timeout; });
          })
          .value();
  BOOST_TEST(node.commands().dispatch(work{1}).has_value());
  node->run();
  BOOST_TEST(node.in_flight() == 0U);
  node->advance(5s);
  BOOST_TEST(!went_on);
}

BOOST_AUTO_TEST_CASE(
    commands_that_cannot_leave_because_an_append_was_refused_end_their_waits_at_once) {
  auto script = std::make_shared<test::journal_script>();
  running_node node{{worker()},
                    {.scheduler = scheduling::deterministic, .wrap_journal = scripted(script)}};
  std::optional<failure_kind> why;
  auto listener = node.events().subscribe<other_work_done>(
      [&](const other_work_done&, microlith::context& ctx) {
        ctx.dispatch(work_done{100});
        ctx.dispatch_and_wait<work_done>(work{1}).then([](const work_done&) {},
                                                       [&](const failure& f) { why = f.kind; });
      });
  BOOST_TEST(node.events().dispatch(other_work_done{1}).has_value());
  script->refuses = [](const append_request& r) -> std::optional<failure> {
    if (!r.events.empty() && r.events.front().message.get_if<work_done>())
      return test::disk_is_full();
    return std::nullopt;
  };
  node->run();
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(*why == failure_kind::overloaded);
}

BOOST_AUTO_TEST_CASE(a_continuation_has_the_context_of_its_message) {
  running_node node;
  std::vector<message_id> ids;
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([&](const work&, microlith::context& ctx) {
                       ctx.ask(ping{1}).then(
                           [&](const pong&, microlith::context& then) {
                             ids.push_back(then.id());
                             then.dispatch(work_done{1});
                           },
                           [](const failure&) {});
                     })
                     .value();
  auto listener =
      node.events().subscribe<work_done>([&](const work_done&, microlith::context& ctx) {
        ids.push_back(ctx.head().causation);
        BOOST_TEST(ctx.position() == 1U);
      });
  auto command = correlated(work{1});
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(command).failed());
  node->run();
  BOOST_REQUIRE(ids.size() == 2U);
  BOOST_TEST(ids[0] == command.id);
  BOOST_TEST(ids[1] == command.id);
}

BOOST_AUTO_TEST_SUITE_END()
