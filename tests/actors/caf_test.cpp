#include "samples.hpp"
#include "support/node.hpp"

#include <microlith/actors/caf.hpp>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::running_node;

namespace {

envelope sealed(running_node& node, work body) {
  auto message = correlated(body);
  return {node->runtime()->outside_head(message.id, message.correlation, {}, {}), message.body};
}

internal::wait_request wait_for_work_done(running_node& node, const envelope& command) {
  internal::wait_request wait{
      .spec = internal::spec_for<work_done>(command.head().correlation, 60s), .deadline = {}};
  wait.deadline = node->runtime()->steady_now() + wait.spec.limit;
  return wait;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(caf)

BOOST_AUTO_TEST_CASE(a_typed_caf_actor_hears_events) {
  running_node node{{worker()}};
  std::vector<std::int64_t> heard;
  caf_receiver receiver = actor_system_of(*node).spawn([&]() -> caf_receiver::behavior_type {
    return {[&](envelope& message) { heard.push_back(message.get_if<work_done>()->number); }};
  });
  {
    auto subscribed = subscribe(*node, type_of<work_done>(), receiver);
    for (int i = 1; i <= 3; ++i)
      BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{i}).failed());
    node->run();
  }
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{4}).failed());
  node->run();
  BOOST_TEST(heard == (std::vector<std::int64_t>{1, 2, 3}), boost::test_tools::per_element());
  caf::anon_send_exit(receiver, caf::exit_reason::user_shutdown);
  node->run();
}

BOOST_AUTO_TEST_CASE(a_caf_actor_that_is_gone_harms_nobody) {
  running_node node{{worker()}};
  caf_receiver receiver = actor_system_of(*node).spawn(
      []() -> caf_receiver::behavior_type { return {[](envelope&) {}}; });
  auto subscribed = subscribe(*node, type_of<work_done>(), receiver);
  caf::anon_send_exit(receiver, caf::exit_reason::user_shutdown);
  node->run();
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{1}).failed());
}

BOOST_AUTO_TEST_CASE(a_bus_takes_messages_and_answers_caf_requests) {
  running_node node{{worker()}, test::on_threads()};
  auto bus = bus_actor_of(*node, message_kind::command);
  caf::scoped_actor self{actor_system_of(*node)};
  for (std::int64_t i = 0; i < 10; ++i) {
    auto command = sealed(node, work{i});
    auto wait = wait_for_work_done(node, command);
    std::optional<std::int64_t> got;
    self->request(bus, caf::infinite, command, wait)
        .receive(
            [&](internal::answer_message& answered) {
              if (const auto* message = std::get_if<envelope>(&answered.answer))
                got = message->get_if<work_done>()->number;
            },
            [](const caf::error&) {});
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(*got == i);
  }
}

BOOST_AUTO_TEST_CASE(a_message_and_a_wait_may_be_two_caf_messages) {
  running_node node{{worker()}, test::on_threads()};
  auto bus = bus_actor_of(*node, message_kind::command);
  caf::scoped_actor self{actor_system_of(*node)};
  auto command = sealed(node, work{7});
  self->send(bus, command);
  bool answered = false;
  self->request(bus, caf::infinite, wait_for_work_done(node, command))
      .receive(
          [&](internal::answer_message& got) {
            answered = std::holds_alternative<envelope>(got.answer);
          },
          [](const caf::error&) {});
  BOOST_TEST(answered);
}

BOOST_AUTO_TEST_CASE(what_caf_actors_dispatch_is_admitted_like_everything_from_outside) {
  running_node node{{worker()},
                    {.max_commands_in_flight = 2, .scheduler = scheduling::deterministic}};
  auto bus = bus_actor_of(*node, message_kind::command);
  for (int i = 0; i < 5; ++i)
    caf::anon_send(bus, sealed(node, work{i}));
  node->run();
  BOOST_TEST(node.in_flight() == 0U);
  BOOST_TEST(node.counted().refused.at("overloaded") == 3U);
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{1}).failed());
}

BOOST_AUTO_TEST_CASE(a_caf_request_that_is_refused_is_answered_with_the_failure) {
  running_node node{{}, test::on_threads()};
  auto bus = bus_actor_of(*node, message_kind::command);
  caf::scoped_actor self{actor_system_of(*node)};
  auto command = sealed(node, work{7});
  std::optional<failure_kind> kind;
  self->request(bus, caf::infinite, command, wait_for_work_done(node, command))
      .receive(
          [&](internal::answer_message& got) {
            if (const auto* why = std::get_if<failure>(&got.answer))
              kind = why->kind;
          },
          [](const caf::error&) {});
  BOOST_REQUIRE(kind.has_value());
  BOOST_TEST(*kind == failure_kind::no_handler);
}

BOOST_AUTO_TEST_SUITE_END()
