#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

namespace {

/// The same message with one more header.
envelope with_header(const envelope& message, const std::string& name, const std::string& value) {
  auto head = message.head();
  auto facts = facts_of(head);
  facts.headers[name] = value;
  head.facts = std::make_shared<const conversation_facts>(std::move(facts));
  return message.with_head(std::move(head));
}

dispatch_result refused(const envelope& message) {
  return failure{.kind = failure_kind::overloaded,
                 .certainty = certainty::not_done,
                 .text = "refused by middleware",
                 .message = message.head().id};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(middleware)

BOOST_AUTO_TEST_CASE(around_dispatch_changes_headers_on_every_bus) {
  running_node node;
  std::vector<std::string> traces;
  auto note = [&](const auto&, context& ctx) {
    traces.push_back(facts_of(ctx.head()).headers.at("trace"));
  };
  auto add = [](std::string value) {
    return [value](envelope message, const next_dispatch& next) {
      return next(with_header(message, "trace", value));
    };
  };
  node.commands().around_dispatch(add("command"));
  node.queries().around_dispatch(add("query"));
  node.events().around_dispatch(add("event"));
  auto commands = node.commands().subscribe<work>(note).value();
  auto queries = node.queries()
                     .subscribe<ping>([&](const ping& q, context& ctx) {
                       note(q, ctx);
                       return pong{};
                     })
                     .value();
  auto events = node.events().subscribe<work_done>(note);
  BOOST_TEST(node.commands().dispatch(work{}).has_value());
  node->run();
  BOOST_TEST(!node.queries().ask(ping{}).failed());
  BOOST_TEST(node.events().dispatch(work_done{}).has_value());
  node->run();
  BOOST_TEST(traces == (std::vector<std::string>{"command", "query", "event"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(around_dispatch_nests_in_the_order_in_which_it_was_added) {
  running_node node{{worker()}};
  std::vector<std::string> order;
  auto named = [&](std::string name) {
    return [&order, name](envelope message, const next_dispatch& next) {
      order.push_back("into " + name);
      auto result = next(std::move(message));
      order.push_back("out of " + name);
      return result;
    };
  };
  node.commands().around_dispatch(named("first"));
  node.commands().around_dispatch(named("second"));
  BOOST_TEST(node.commands().dispatch(work{}).has_value());
  BOOST_TEST(order == (std::vector<std::string>{"into first", "into second", "out of second",
                                                "out of first"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(around_dispatch_sees_what_handlers_dispatch) {
  running_node node{{accounts()}};
  std::vector<std::string> seen;
  auto note = [&](envelope message, const next_dispatch& next) {
    seen.emplace_back(message.type().name);
    return next(std::move(message));
  };
  node.commands().around_dispatch(note);
  node.queries().around_dispatch(note);
  node.events().around_dispatch(note);
  auto answers = node.queries().subscribe<ping>([](const ping&) { return pong{}; }).value();
  auto handler = node.commands()
                     .subscribe<work>([](const work&, context& ctx) {
                       ctx.dispatch(work_done{});
                       ctx.dispatch(work_refused{});
                       ctx.dispatch(open_account{"ann"});
                       ctx.ask(ping{}).then([](const pong&) {}, [](const failure&) {});
                     })
                     .value();
  BOOST_TEST(node.commands().dispatch(work{}).has_value());
  node->run();
  BOOST_TEST(
      seen == (std::vector<std::string>{"test.work", "test.work_done", "test.work_refused",
                                        "test.open_account", "test.ping", "test.account_opened"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(around_dispatch_changes_what_is_journaled) {
  running_node node{{worker()}};
  std::string trace;
  node.events().around_dispatch([](envelope message, const next_dispatch& next) {
    return next(with_header(message, "trace", "added"));
  });
  auto listener = node.events().subscribe<work_done>(
      [&](const work_done&, context& ctx) { trace = facts_of(ctx.head()).headers.at("trace"); });
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{}).failed());
  node->run();
  BOOST_TEST(trace == "added");
  std::string journaled;
  auto read = node->journal().read(
      1, {}, [&](const record_view& record) { journaled = facts_of(record)->headers.at("trace"); });
  BOOST_TEST(read.has_value());
  BOOST_TEST(journaled == "added");
}

BOOST_AUTO_TEST_CASE(around_dispatch_refuses) {
  running_node node{{worker()}};
  node.commands().around_dispatch(
      [](envelope message, const next_dispatch&) { return refused(message); });
  auto sent = node.commands().dispatch(work{});
  BOOST_REQUIRE(!sent.has_value());
  BOOST_TEST(sent.error().text == "refused by middleware");
  BOOST_TEST(failure_of(node.commands().dispatch_and_wait<work_done>(work{})).text ==
             "refused by middleware");
  std::optional<answer<work_done>> ended;
  node.commands().dispatch_and_wait<work_done>(work{}, 1s,
                                               [&](const answer<work_done>& a) { ended = a; });
  node->run();
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(failure_of(*ended).text == "refused by middleware");
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(a_wait_that_follows_a_dispatch_that_middleware_refused_ends_at_once) {
  running_node node{{worker()}};
  node.commands().around_dispatch(
      [](envelope message, const next_dispatch&) { return refused(message); });
  auto command = correlated(work{});
  BOOST_TEST(!node.commands().dispatch(command).has_value());
  auto ended = node.events().wait_for<work_done>(command.correlation);
  BOOST_TEST(failure_of(ended).text == "refused by middleware");
}

BOOST_AUTO_TEST_CASE(around_dispatch_that_refuses_what_a_handler_dispatches_fails_the_handler) {
  running_node node{{worker()}};
  node.events().around_dispatch(
      [](envelope message, const next_dispatch&) { return refused(message); });
  auto why = failure_of(node.commands().dispatch_and_wait<work_done>(work{}));
  BOOST_TEST(why.text == "refused by middleware");
  BOOST_TEST(node->journal().last_position() == 0U);
}

BOOST_AUTO_TEST_CASE(around_dispatch_that_throws_refuses) {
  running_node node{{worker(), accounts()}};
  bool throws = true;
  node.commands().around_dispatch([&](envelope message, const next_dispatch& next) {
    if (throws)
      throw std::runtime_error{"broken middleware"};
    return next(std::move(message));
  });
  auto sent = node.commands().dispatch(work{});
  BOOST_REQUIRE(!sent.has_value());
  BOOST_TEST(sent.error().kind == failure_kind::handler_failed);
  BOOST_TEST(sent.error().text.find("broken middleware") != std::string::npos);
  throws = false;
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{}).failed());
}

BOOST_AUTO_TEST_CASE(around_dispatch_that_throws_inside_of_a_handler_leaves_it_alive) {
  running_node node{{worker(), accounts()}};
  bool throws = true;
  node.events().around_dispatch([&](envelope message, const next_dispatch& next) {
    if (throws)
      throw std::runtime_error{"broken middleware"};
    return next(std::move(message));
  });
  BOOST_TEST(failure_of(node.commands().dispatch_and_wait<work_done>(work{})).kind ==
             failure_kind::handler_failed);
  BOOST_TEST(
      failure_of(node.commands().dispatch_and_wait<account_opened>(open_account{"a"})).kind ==
      failure_kind::handler_failed);
  throws = false;
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"a"}).failed());
}

BOOST_AUTO_TEST_CASE(around_handle_is_called_for_functions_deciders_queries_and_subscribers) {
  running_node node{{worker(), accounts()}};
  std::vector<std::string> seen;
  auto note = [&](const envelope& message, const std::function<void()>& next) {
    seen.push_back("into " + std::string{message.type().name});
    next();
    seen.push_back("out of " + std::string{message.type().name});
  };
  node.commands().around_handle(note);
  node.queries().around_handle(note);
  node.events().around_handle(note);
  auto answers = node.queries().subscribe<ping>([](const ping&) { return pong{}; }).value();
  auto listener = node.events().subscribe<work_done>([](const work_done&) {});
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{}).failed());
  node->run();
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
  BOOST_TEST(!node.queries().ask(ping{}).failed());
  BOOST_TEST(seen == (std::vector<std::string>{"into test.work", "out of test.work",
                                               "into test.work_done", "out of test.work_done",
                                               "into test.open_account", "out of test.open_account",
                                               "into test.ping", "out of test.ping"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(around_handle_nests_in_the_order_in_which_it_was_added) {
  running_node node;
  std::string order;
  for (char name : {'a', 'b', 'c'})
    node.commands().around_handle(
        [&order, name](const envelope&, const std::function<void()>& next) {
          order += name;
          next();
          order += name;
        });
  auto handler = node.commands().subscribe<work>([&](const work&) { order += '!'; }).value();
  BOOST_TEST(node.commands().dispatch(work{}).has_value());
  node->run();
  BOOST_TEST(order == "abc!cba");
}

BOOST_AUTO_TEST_CASE(around_handle_that_throws_fails_the_handling) {
  running_node node{{worker(), accounts()}};
  node.commands().around_handle([](const envelope& message, const std::function<void()>& next) {
    if (!facts_of(message.head()).principal.has_role("admin"))
      throw std::runtime_error{"only for admins"};
    next();
  });
  auto function = failure_of(node.commands().dispatch_and_wait<work_done>(work{}));
  BOOST_TEST(function.kind == failure_kind::handler_failed);
  BOOST_TEST(function.text.find("only for admins") != std::string::npos);
  auto decider = failure_of(node.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  BOOST_TEST(decider.kind == failure_kind::handler_failed);
  BOOST_TEST(decider.text.find("only for admins") != std::string::npos);
  BOOST_TEST(
      !node.commands()
           .dispatch_and_wait<work_done>(correlated(work{}, {.subject = "a", .roles = {"admin"}}))
           .failed());
}

BOOST_AUTO_TEST_CASE(middleware_keeps_the_order_of_messages) {
  test::seen<std::int64_t> done;
  running_node node{{}, test::on_threads()};
  node.commands().around_dispatch(
      [](envelope message, const next_dispatch& next) { return next(std::move(message)); });
  node.commands().around_handle([](const envelope&, const std::function<void()>& next) { next(); });
  auto handler =
      node.commands().subscribe<work>([&](const work& c) { done.add(c.number); }).value();
  for (std::int64_t i = 0; i < 2'000; ++i)
    BOOST_REQUIRE(node.commands().dispatch(work{i}).has_value());
  test::eventually([&] { return done.count() == 2'000; }, "all is done");
  auto all = done.all();
  BOOST_TEST(std::is_sorted(all.begin(), all.end()));
}

BOOST_AUTO_TEST_SUITE_END()
