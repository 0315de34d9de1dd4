// What a node keeps of conversations for waits that come later, and for how long.

#include "ending.hpp"
#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::ending;
using test::failure_of;
using test::running_node;

BOOST_AUTO_TEST_SUITE(slot)

BOOST_AUTO_TEST_CASE(waits_that_are_pending_are_bounded) {
  running_node node{{}, {.max_waits = 2, .scheduler = scheduling::deterministic}};
  std::vector<ending<work_done>> ended(3);
  for (auto& each : ended)
    node.events().wait_for<work_done>(correlation_id::make(), 1s, each.function());
  node->run();
  BOOST_TEST(ended[0].count == 0);
  BOOST_TEST(ended[1].count == 0);
  BOOST_REQUIRE(ended[2].count == 1);
  BOOST_TEST(failure_of(*ended[2].got).kind == failure_kind::overloaded);
  node->advance(1s);
  ending<work_done> later;
  node.events().wait_for<work_done>(correlation_id::make(), 1s, later.function());
  node->run();
  BOOST_TEST(later.count == 0);
}

BOOST_AUTO_TEST_CASE(a_wait_after_its_conversation_was_let_go_ends_as_forgotten) {
  running_node node{{worker()}};
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  node->advance(10s);
  BOOST_TEST(node.counted().conversation_slots == 0U);
  auto before = node->runtime()->steady_now();
  auto ended = node.events().wait_for<work_done>(command.correlation);
  BOOST_TEST(failure_of(ended).kind == failure_kind::forgotten);
  BOOST_TEST((node->runtime()->steady_now() == before));
}

BOOST_AUTO_TEST_CASE(answered_conversations_that_nobody_asked_for_make_room_oldest_first) {
  constexpr std::size_t kept = 160;
  running_node node{{worker()},
                    {.max_answered_slots = kept, .scheduler = scheduling::deterministic}};
  std::vector<correlation_id> conversations;
  for (int i = 0; i < 1'000; ++i) {
    auto command = correlated(work{i});
    conversations.push_back(command.correlation);
    BOOST_REQUIRE(node.commands().dispatch(command).has_value());
    node->run();
  }
  BOOST_TEST(node.counted().conversation_slots <= kept);
  BOOST_TEST(node.counted().conversation_slots > kept / 2);
  BOOST_TEST(failure_of(node.events().wait_for<work_done>(conversations.front())).kind ==
             failure_kind::forgotten);
  BOOST_TEST(answered<work_done>(node.events().wait_for<work_done>(conversations.back())).number ==
             999);
}

BOOST_AUTO_TEST_CASE(conversations_that_nobody_asks_for_never_hold_back_admission) {
  running_node node{{worker()},
                    {.max_commands_in_flight = 4,
                     .max_answered_slots = 1,
                     .scheduler = scheduling::deterministic}};
  for (int i = 0; i < 1'000; ++i) {
    BOOST_REQUIRE(node.commands().dispatch(work{i}).has_value());
    node->run();
  }
  BOOST_TEST(node.counted().refused.at("overloaded") == 0U);
}

BOOST_AUTO_TEST_CASE(many_messages_of_a_kind_do_not_hide_a_later_answer) {
  running_node node;
  auto handler = node.commands()
                     .subscribe<work>([](const work&, context& ctx) {
                       for (int i = 0; i < 1'000; ++i)
                         ctx.dispatch(work_done{i});
                       ctx.dispatch(other_work_done{7});
                     })
                     .value();
  auto command = correlated(work{1});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  node->run();
  auto done = node.events().wait_for<other_work_done>(command.correlation);
  BOOST_TEST(answered<other_work_done>(done).number == 7);
  BOOST_TEST(answered<work_done>(node.events().wait_for<work_done>(command.correlation)).number ==
             0);
}

BOOST_AUTO_TEST_CASE(what_was_not_kept_is_forgotten_and_not_waited_for_in_vain) {
  running_node node;
  auto conversation = correlation_id::make();
  // Each is a dispatch of its own, so that none stands for another.
  for (int i = 0; i < 1'000; ++i) {
    BOOST_REQUIRE(node.events().dispatch(correlated_in(conversation, work_done{i})).has_value());
    node->run();
  }
  BOOST_TEST(node.events().dispatch(correlated_in(conversation, other_work_done{7})).has_value());
  node->run();
  auto before = node->runtime()->steady_now();
  auto ended = node.events().wait_for<other_work_done>(conversation);
  BOOST_TEST(failure_of(ended).kind == failure_kind::forgotten);
  BOOST_TEST((node->runtime()->steady_now() == before));
}

BOOST_AUTO_TEST_CASE(a_private_conversation_leaves_nothing_behind) {
  running_node node{{worker(), accounts()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{1}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(work{2}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<account_opened>(open_account{"a"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<account_refused>(open_account{"a"}).failed());
  BOOST_TEST(!node.events().dispatch_and_wait<accepted>(work_done{3}).failed());
  BOOST_TEST(node.commands().dispatch_and_wait<account_opened>(other_work{1}).failed());
  node->run();
  BOOST_TEST(node.counted().conversation_slots == 0U);
  BOOST_TEST(node.counted().pending_waits == 0U);
}

BOOST_AUTO_TEST_CASE(a_private_conversation_that_timed_out_is_let_go_in_time) {
  running_node node{{worker()}};
  BOOST_TEST(node.commands().dispatch_and_wait<other_work_done>(work{1}, 1s).failed());
  node->advance(10s);
  BOOST_TEST(node.counted().conversation_slots == 0U);
}

BOOST_AUTO_TEST_CASE(a_slot_that_nobody_asks_for_is_let_go_after_its_time) {
  running_node node{{worker()}};
  BOOST_REQUIRE(node.commands().dispatch(work{1}).has_value());
  node->run();
  BOOST_TEST(node.counted().conversation_slots == 1U);
  node->advance(9'999ms);
  BOOST_TEST(node.counted().conversation_slots == 1U);
  node->advance(1ms);
  BOOST_TEST(node.counted().conversation_slots == 0U);
}

BOOST_AUTO_TEST_CASE(a_long_conversation_takes_no_more_and_no_more_memory) {
  running_node node{{worker()}};
  auto conversation = correlation_id::make();
  for (int i = 0; i < 10'000; ++i)
    BOOST_REQUIRE(!node.commands()
                       .dispatch_and_wait<work_done>(correlated_in(conversation, work{i}))
                       .failed());
  BOOST_TEST(node.counted().conversation_slots == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
