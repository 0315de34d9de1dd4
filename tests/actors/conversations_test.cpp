// The table of waits and slots by itself, by example; conversations_model_test.cpp has random
// sequences.

#include "table_of_waits.hpp"

using namespace microlith;
using namespace microlith::internal;
using namespace samples;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(conversations)

BOOST_AUTO_TEST_CASE(an_answer_and_its_wait_meet_in_either_order) {
  for (bool wait_first : {true, false}) {
    table_of_waits table;
    auto conversation = correlation_id::make();
    auto root = message_id::make();
    outcome out;
    table.talks.open(conversation, {root});
    if (wait_first)
      table.talks.wait(wait_for(conversation, out), start);
    table.talks.pass(event_in(conversation, root), start);
    if (!wait_first)
      table.talks.wait(wait_for(conversation, out), start);
    BOOST_TEST(out.ended == 1);
    BOOST_TEST(out.has_message());
  }
}

BOOST_AUTO_TEST_CASE(a_message_of_an_unknown_conversation_is_not_kept) {
  table_of_waits table;
  table.talks.pass(event_in(correlation_id::make(), message_id::make()), start);
  BOOST_TEST(table.talks.slots() == 0U);
}

BOOST_AUTO_TEST_CASE(it_asks_to_be_called_at_the_earliest_deadline) {
  table_of_waits table;
  std::array<outcome, 3> outs;
  for (std::size_t i : {1u, 0u, 2u})
    table.talks.wait(wait_for(correlation_id::make(), outs[i], start + 1s * (i + 1)), start);
  BOOST_TEST((table.armed == start + 1s));
  auto next = table.talks.expire(start + 999ms);
  BOOST_TEST((next == start + 1s));
  BOOST_TEST(outs[0].ended == 0);
  next = table.talks.expire(start + 1s);
  BOOST_TEST((next == start + 2s));
  BOOST_TEST(outs[0].ended == 1);
  BOOST_TEST(outs[1].ended == 0);
  next = table.talks.expire(start + 3s);
  BOOST_TEST(outs[1].ended == 1);
  BOOST_TEST(outs[2].ended == 1);
  BOOST_TEST((next < steady_time::max()));  // the slots
  static_cast<void>(table.talks.expire(start + 1h));
  BOOST_TEST(table.talks.slots() == 0U);
  BOOST_TEST(table.talks.pending_waits() == 0U);
}

BOOST_AUTO_TEST_CASE(a_query_that_is_asked_again_runs_as_often_as_it_was_asked) {
  table_of_waits table;
  auto conversation = correlation_id::make();
  auto root = message_id::make();
  BOOST_TEST((table.talks.open(conversation, {root}) == opening::first));
  BOOST_TEST((table.talks.open(conversation, {root}) == opening::again));
  table.talks.conclude(conversation, {}, root, accepted{1}, start);
  static_cast<void>(table.talks.expire(start + 10s));
  BOOST_TEST(table.talks.slots() == 1U);
  table.talks.conclude(conversation, {}, root, accepted{1}, start);
  static_cast<void>(table.talks.expire(start + 10s));
  BOOST_TEST(table.talks.slots() == 0U);
}

BOOST_AUTO_TEST_CASE(a_command_that_runs_is_not_begun_again) {
  table_of_waits table;
  auto conversation = correlation_id::make();
  opened_dispatch command{.id = message_id::make(), .once = true};
  BOOST_TEST((table.talks.open(conversation, command) == opening::first));
  BOOST_TEST((table.talks.open(conversation, command) == opening::while_running));
  table.talks.conclude(conversation, {}, command.id, accepted{1}, start);
  BOOST_TEST((table.talks.open(conversation, command) == opening::again));
  BOOST_TEST((table.talks.open(conversation, command) == opening::while_running));
  table.talks.conclude(conversation, {}, command.id, accepted{1}, start);
  static_cast<void>(table.talks.expire(start + 10s));
  BOOST_TEST(table.talks.slots() == 0U);
}

BOOST_AUTO_TEST_CASE(a_refusal_of_the_same_command_leaves_the_one_that_runs_alone) {
  table_of_waits table;
  std::array<outcome, 1> outs;
  auto conversation = correlation_id::make();
  opened_dispatch command{.id = message_id::make(), .once = true};
  table.talks.open(conversation, command);
  table.talks.wait(wait_for(conversation, outs[0]), start);
  table.talks.refuse(conversation,
                     {.kind = failure_kind::overloaded,
                      .certainty = certainty::not_done,
                      .text = "too much",
                      .message = command.id},
                     start);
  BOOST_TEST(!outs[0].answer.has_value());
}

BOOST_AUTO_TEST_CASE(stopping_ends_every_wait_and_all_that_come) {
  table_of_waits table;
  std::array<outcome, 3> outs;
  table.talks.wait(wait_for(correlation_id::make(), outs[0]), start);
  table.talks.wait(wait_for(correlation_id::make(), outs[1]), start);
  table.talks.stop();
  table.talks.wait(wait_for(correlation_id::make(), outs[2]), start);
  for (const auto& out : outs) {
    BOOST_TEST(out.ended == 1);
    BOOST_TEST((out.failed() == failure_kind::stopped));
  }
}

BOOST_AUTO_TEST_CASE(the_thread_that_completes_a_wait_may_use_the_table) {
  // Completions run outside of all locks.
  struct reentrant final : pending_wait {
    reentrant(internal::conversations& t, outcome& o) : talks{t}, out{o} {}
    void complete(raw_answer&&, std::unique_ptr<pending_wait>) override {
      talks.wait(wait_for(correlation, out), start);
    }
    internal::conversations& talks;
    outcome& out;
  };
  table_of_waits table;
  outcome out;
  auto conversation = correlation_id::make();
  auto wait = std::make_unique<reentrant>(table.talks, out);
  wait->correlation = conversation;
  wait->types.push_back(&type_of<work_done>());
  table.talks.wait(std::move(wait), start);
  table.talks.pass(event_in(conversation, message_id::make()), start);
  BOOST_TEST(out.ended == 1);
}

BOOST_AUTO_TEST_CASE(events_that_nobody_waited_for_make_room_oldest_first) {
  constexpr std::size_t max = 8;
  table_of_waits table{{.max_answered_slots = max},
                       [](std::uint64_t, auto) { return std::optional<envelope>{}; }};
  std::vector<correlation_id> all;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    all.push_back(correlation_id::make());
    auto id = message_id::make();
    table.talks.open(all.back(), {.id = id, .is_event = true});
    auto durable = outside_event(all.back(), id, i);
    const auto* one = &durable;
    table.talks.conclude(all.back(), {&one, 1}, id, accepted{i}, start);
  }
  BOOST_TEST(table.talks.slots() <= max);
  outcome late;
  table.talks.wait(wait_for(all.front(), late), start);
  BOOST_TEST((late.failed() == failure_kind::forgotten));
}

BOOST_AUTO_TEST_CASE(an_event_that_cannot_be_read_again_ends_the_wait_for_it_and_says_why) {
  table_of_waits table{{}, [](std::uint64_t, auto) -> result<std::optional<envelope>, failure> {
                         return failure{.kind = failure_kind::forgotten,
                                        .certainty = certainty::unknown,
                                        .text = "damaged",
                                        .message = {}};
                       }};
  auto conversation = correlation_id::make();
  auto id = message_id::make();
  table.talks.open(conversation, {.id = id, .is_event = true});
  auto durable = outside_event(conversation, id, 7);
  const auto* one = &durable;
  table.talks.conclude(conversation, {&one, 1}, id, accepted{7}, start);
  outcome late;
  table.talks.wait(wait_for(conversation, late), start);
  BOOST_TEST((late.failed() == failure_kind::forgotten));
}

BOOST_AUTO_TEST_SUITE_END()
