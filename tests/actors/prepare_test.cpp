// Slow work of deciders: in workers, on a copy of the state, outside the key's turn.

#include "samples.hpp"
#include "support/node.hpp"

#include <atomic>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

namespace {

struct guess {
  using message = microlith::command<"test.guess">;
  std::string box;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(guess, (), (box, number))

struct relabel {
  using message = microlith::command<"test.relabel">;
  std::string box;
};
BOOST_DESCRIBE_STRUCT(relabel, (), (box))

struct relock {
  using message = microlith::command<"test.relock">;
  std::string box;
};
BOOST_DESCRIBE_STRUCT(relock, (), (box))

struct guessed {
  using message = microlith::event<"test.guessed">;
  std::int64_t at_lock = 0;
  std::int64_t prepared_at_lock = 0;
  std::int64_t preparations = 0;
};
BOOST_DESCRIBE_STRUCT(guessed, (), (at_lock, prepared_at_lock, preparations))

struct relabelled {
  using message = microlith::event<"test.relabelled">;
  std::string box;
};
BOOST_DESCRIBE_STRUCT(relabelled, (), (box))

struct relocked {
  using message = microlith::event<"test.relocked">;
  std::string box;
};
BOOST_DESCRIBE_STRUCT(relocked, (), (box))

struct box {
  static constexpr std::string_view stream = "test.box";
  std::int64_t lock = 0;
  std::int64_t label = 0;
};
BOOST_DESCRIBE_STRUCT(box, (), (lock, label))

// What preparing does beside preparing, and how often it was called.
std::function<void(const guess&)> while_preparing;
std::atomic<std::int64_t> preparations{0};

struct fresh {
  fresh() { preparations = 0; }
  ~fresh() { while_preparing = nullptr; }
};

std::string stream_key(const guess& c) {
  return c.box;
}
std::string stream_key(const relabel& c) {
  return c.box;
}
std::string stream_key(const relock& c) {
  return c.box;
}

std::int64_t prepare(const box& state, const guess& c) {
  ++preparations;
  if (while_preparing)
    while_preparing(c);
  if (c.number < 0)
    throw std::runtime_error{"cannot prepare"};
  return state.lock;
}

// The lock matters, the label does not.
std::int64_t prepare_basis(const box& state, const guess&) {
  return state.lock;
}

guessed decide(const box& state, const guess&, const std::int64_t& prepared) {
  return {state.lock, prepared, preparations};
}
relabelled decide(const box&, const relabel& c) {
  return {c.box};
}
relocked decide(const box&, const relock& c) {
  return {c.box};
}

box evolve(box state, const guessed&) {
  return state;
}
box evolve(box state, const relabelled&) {
  ++state.label;
  return state;
}
box evolve(box state, const relocked&) {
  ++state.lock;
  return state;
}

component boxes() {
  component hosted{"test.boxes"};
  hosted.handles<box, guess, relabel, relock>({.shards = 1});
  return hosted;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(prepare)

BOOST_AUTO_TEST_CASE(decide_gets_what_was_prepared) {
  fresh now;
  running_node node{{boxes()}};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(relock{"a"}).failed());
  auto done = answered<guessed>(node.commands().dispatch_and_wait<guessed>(guess{"a", 1}));
  BOOST_TEST(done.at_lock == 1);
  BOOST_TEST(done.prepared_at_lock == 1);
  BOOST_TEST(done.preparations == 1);
}

BOOST_AUTO_TEST_CASE(slow_work_does_not_hold_back_its_key) {
  fresh now;
  running_node node{{boxes()}, test::on_threads()};
  std::atomic<bool> go_on{false};
  while_preparing = [&](const guess&) {
    while (!go_on)
      std::this_thread::yield();
  };
  auto slow = correlated(guess{"a", 1});
  BOOST_REQUIRE(node.commands().dispatch(slow).has_value());
  test::eventually([] { return preparations > 0; }, "the slow work has begun");
  BOOST_TEST(!node.commands().dispatch_and_wait<relabelled>(relabel{"a"}, 60s).failed());
  go_on = true;
  BOOST_TEST(!node.events().wait_for<guessed>(slow.correlation, 60s).failed());
}

BOOST_AUTO_TEST_CASE(work_is_prepared_again_only_if_what_it_relied_on_has_changed) {
  fresh now;
  running_node node{{boxes()}, test::on_threads()};
  // The first guess is overtaken by another label, the second one by another lock.
  for (bool lock : {false, true}) {
    preparations = 0;
    bool overtaken = false;
    while_preparing = [&, lock](const guess& c) {
      if (std::exchange(overtaken, true))
        return;
      std::atomic<bool> done{false};
      auto note = [&](const auto&) { done = true; };
      if (lock)
        node.commands().dispatch_and_wait<relocked>(relock{c.box}, 60s, note);
      else
        node.commands().dispatch_and_wait<relabelled>(relabel{c.box}, 60s, note);
      while (!done)
        std::this_thread::yield();
    };
    auto done = answered<guessed>(node.commands().dispatch_and_wait<guessed>(guess{"a", 1}, 60s));
    BOOST_TEST(done.preparations == (lock ? 2 : 1));
    BOOST_TEST(done.at_lock == (lock ? 1 : 0));
    BOOST_TEST(done.prepared_at_lock == done.at_lock);
  }
}

BOOST_AUTO_TEST_CASE(work_that_is_always_overtaken_ends_as_a_conflict) {
  fresh now;
  running_node node{{boxes()}, test::on_threads()};
  while_preparing = [&](const guess& c) {
    std::atomic<bool> done{false};
    node.commands().dispatch_and_wait<relocked>(relock{c.box}, 60s,
                                                [&](const auto&) { done = true; });
    while (!done)
      std::this_thread::yield();
  };
  auto why = failure_of(node.commands().dispatch_and_wait<guessed>(guess{"a", 1}, 60s));
  BOOST_TEST(why.kind == failure_kind::conflict);
  BOOST_TEST(why.certainty == certainty::not_done);
  BOOST_TEST(preparations > 1);
  BOOST_TEST(preparations < 100);
}

BOOST_AUTO_TEST_CASE(what_waits_for_a_worker_is_bounded) {
  fresh now;
  running_node node{
      {boxes()},
      {.prepare_workers = 1, .max_prepare_queue = 2, .scheduler = scheduling::deterministic}};
  std::vector<answer<guessed>> ends;
  for (int i = 0; i < 10; ++i)
    node.commands().dispatch_and_wait<guessed>(
        guess{std::to_string(i), 1}, 5s, [&](const answer<guessed>& a) { ends.push_back(a); });
  node->run();
  BOOST_REQUIRE(ends.size() == 10U);
  std::size_t refused = 0;
  for (const auto& each : ends) {
    if (!each.failed())
      continue;
    ++refused;
    BOOST_TEST(failure_of(each).kind == failure_kind::overloaded);
    BOOST_TEST(failure_of(each).certainty == certainty::not_done);
  }
  BOOST_TEST(refused == 7U);
  BOOST_TEST(preparations == 3);
  BOOST_TEST(!node.commands().dispatch_and_wait<guessed>(guess{"x", 1}).failed());
}

BOOST_AUTO_TEST_CASE(work_that_throws_fails_its_command_and_the_worker_lives_on) {
  fresh now;
  running_node node{{boxes()}, {.prepare_workers = 1, .scheduler = scheduling::deterministic}};
  auto why = failure_of(node.commands().dispatch_and_wait<guessed>(guess{"a", -1}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.text.find("cannot prepare") != std::string::npos);
  BOOST_TEST(!node.commands().dispatch_and_wait<guessed>(guess{"a", 1}).failed());
}

BOOST_AUTO_TEST_CASE(work_past_its_deadline_is_not_prepared) {
  fresh now;
  running_node node{{boxes()}};
  std::optional<answer<guessed>> ended;
  node.commands().dispatch_and_wait<guessed>(guess{"a", 1}, 0ms,
                                             [&](const answer<guessed>& a) { ended = a; });
  node->run();
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(failure_of(*ended).kind == failure_kind::timeout);
  BOOST_TEST(preparations == 0);
}

BOOST_AUTO_TEST_CASE(work_that_waits_for_a_worker_past_its_deadline_is_not_prepared) {
  fresh now;
  running_node node{{boxes()}, {.threads = 2, .prepare_workers = 1}};
  std::atomic<bool> second_ended{false};
  while_preparing = [&](const guess&) {
    while (!second_ended)
      std::this_thread::yield();
  };
  auto first = correlated(guess{"a", 1});
  BOOST_REQUIRE(node.commands().dispatch(first).has_value());
  node.commands().dispatch_and_wait<guessed>(guess{"b", 1}, 20ms,
                                             [&](const auto&) { second_ended = true; });
  BOOST_TEST(!node.events().wait_for<guessed>(first.correlation, 60s).failed());
  node.check_settled();
  BOOST_TEST(preparations == 1);
}

BOOST_AUTO_TEST_CASE(a_blocking_wait_while_preparing_is_refused) {
  fresh now;
  running_node node{{boxes()}};
  std::optional<failure_kind> kind;
  while_preparing = [&](const guess&) {
    kind = failure_of(node.commands().dispatch_and_wait<relocked>(relock{"a"})).kind;
  };
  BOOST_TEST(!node.commands().dispatch_and_wait<guessed>(guess{"a", 1}).failed());
  BOOST_REQUIRE(kind.has_value());
  BOOST_TEST(*kind == failure_kind::handler_failed);
}

BOOST_AUTO_TEST_CASE(a_decider_that_is_served_no_longer_settles_what_is_being_prepared) {
  fresh now;
  running_node node;
  auto served = node->runtime()->serve(make_decider<box, guess, relock>()).value();
  std::vector<answer<guessed>> ends;
  while_preparing = [&](const guess&) { served.reset(); };
  for (int i = 0; i < 3; ++i)
    node.commands().dispatch_and_wait<guessed>(
        guess{"a", 1}, 5s, [&](const answer<guessed>& a) { ends.push_back(a); });
  node->run();
  BOOST_TEST(ends.size() == 3U);
}

BOOST_AUTO_TEST_CASE(stopping_while_work_is_prepared_ends_every_wait) {
  fresh now;
  running_node node{{boxes()}, {.threads = 2, .prepare_workers = 1, .drain = 10ms}};
  std::atomic<bool> go_on{false};
  while_preparing = [&](const guess&) {
    while (!go_on)
      std::this_thread::yield();
  };
  std::atomic<int> ended{0};
  for (int i = 0; i < 10; ++i)
    node.commands().dispatch_and_wait<guessed>(guess{std::to_string(i), 1}, 60s, [&](const auto&) {
      if (++ended == 1)
        go_on = true;
    });
  test::eventually([] { return preparations > 0; }, "the slow work has begun");
  node.stop();
  BOOST_TEST(ended == 10);
}

BOOST_AUTO_TEST_SUITE_END()
