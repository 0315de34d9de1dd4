// Handlers with side effects that fail: tried again, parked with the rest of their key, replayed.

#include "posted_events.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;
namespace fs = std::filesystem;

BOOST_FIXTURE_TEST_SUITE(durable_failures, posted_events)

BOOST_AUTO_TEST_CASE(a_failure_is_tried_again_and_holds_up_its_key_alone) {
  failing["a1"] = 2;
  running_node node{{notes({.retries = {.times = 3, .first_delay = 1s, .max_delay = 10s}})},
                    options()};
  post(node, "a", 1);
  post(node, "b", 1);
  post(node, "a", 2);
  post(node, "b", 2);
  node->run();
  post(node, "a", 3);
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "b1", "b2");
  BOOST_TEST(state(node).retried_keys == 1U);
  BOOST_TEST(state(node).parked_keys == 0U);
  // Held events are not in the way of the checkpoint.
  BOOST_TEST(state(node).lag == 0U);
  node->advance(1s);
  BOOST_TEST_TEXTS(seen, "a1", "b1", "b2", "a1");
  node->advance(1s);
  BOOST_TEST_TEXTS(seen, "a1", "b1", "b2", "a1");
  node->advance(1s);
  node->advance(0s);
  BOOST_TEST_TEXTS(seen, "a1", "b1", "b2", "a1", "a1", "a2", "a3");
  BOOST_TEST(state(node).retried_keys == 0U);
  BOOST_TEST_TEXTS(journaled(node->journal()), "b1", "b2", "a1", "a2", "a3");
  post(node, "a", 4);
  node->run();
  BOOST_TEST(seen.back() == "a4");
}

BOOST_AUTO_TEST_CASE(what_keeps_failing_is_parked_with_the_rest_of_its_key) {
  failing["a1"] = 1'000;
  {
    running_node node{{notes({.retries = {.times = 2, .first_delay = 1s, .max_delay = 1s}})},
                      options()};
    for (int i = 1; i <= 2; ++i)
      for (const char* key : {"a", "b"})
        post(node, key, i);
    for (int i = 0; i < 5; ++i)
      node->advance(1s);
    BOOST_TEST_TEXTS(seen, "a1", "b1", "b2", "a1", "a1");
    BOOST_TEST(state(node).parked_keys == 1U);
    BOOST_TEST(state(node).parked_events == 2U);
    BOOST_TEST(state(node).retried_keys == 0U);
    BOOST_TEST(log.contain("test.notes parked key \"a\""));
    post(node, "a", 3);
    post(node, "b", 3);
    node->run();
    BOOST_TEST(seen.back() == "b3");
  }
  seen.clear();
  running_node node{{notes()}, options()};
  for (int i = 0; i < 5; ++i)
    node->advance(10s);
  BOOST_TEST(seen.empty());
  const auto* kept = node.worker().subscription_state("test.notes");
  BOOST_TEST_REQUIRE((kept != nullptr));
  auto parked = kept->held().value();
  BOOST_TEST_REQUIRE(parked.size() == 1U);
  BOOST_TEST(parked[0].key == "a");
  BOOST_TEST(parked[0].parked);
  BOOST_TEST(parked[0].events == 3U);
  BOOST_TEST(parked[0].attempts == 3U);
  BOOST_TEST(parked[0].why.find("a1 fails") != std::string::npos);
  BOOST_TEST(kept->positions_of("a").value().size() == 3U);

  // Replayed in order; what comes meanwhile comes after.
  failing.clear();
  BOOST_TEST(!node.worker().replay_parked("test.notes", "b").has_value());
  BOOST_TEST(!node.worker().replay_parked("test.nothing", "a").has_value());
  BOOST_TEST(node.worker().replay_parked("test.notes", "a").has_value());
  post(node, "a", 4);
  for (int i = 0; i < 5; ++i)
    node->advance(0s);
  BOOST_TEST_TEXTS(seen, "a1", "a2", "a3", "a4");
  BOOST_TEST(state(node).parked_keys == 0U);
  BOOST_TEST(state(node).parked_events == 0U);
  BOOST_TEST_TEXTS(journaled(node->journal()), "b1", "b2", "b3", "a1", "a2", "a3", "a4");
}

BOOST_AUTO_TEST_CASE(attempts_are_counted_across_restarts) {
  failing["a1"] = 1'000;
  durable_options how{.retries = {.times = 2, .first_delay = 1s, .max_delay = 1s}};
  for (int i = 0; i < 2; ++i) {
    running_node node{{notes(how)}, options()};
    if (i == 0)
      post(node, "a", 1);
    node->run();
    node->advance(0s);
  }
  BOOST_TEST(seen.size() == 2U);
  running_node node{{notes(how)}, options()};
  for (int i = 0; i < 5; ++i)
    node->advance(1s);
  BOOST_TEST(seen.size() == 3U);
  BOOST_TEST(state(node).parked_keys == 1U);
}

BOOST_AUTO_TEST_CASE(parked_events_may_be_dropped) {
  failing["a1"] = 1'000;
  running_node node{{notes({.retries = {.times = 0}})}, options()};
  for (int i = 1; i <= 3; ++i)
    post(node, "a", i);
  node->run();
  const auto* kept = node.worker().subscription_state("test.notes");
  auto positions = kept->positions_of("a").value();
  BOOST_TEST_REQUIRE(positions.size() == 3U);
  // The one that fails, and then the rest is replayed.
  BOOST_TEST(node.worker().drop_parked("test.notes", "a", positions.front()).has_value());
  node->run();
  BOOST_TEST(kept->positions_of("a").value().size() == 2U);
  BOOST_TEST(node.worker().replay_parked("test.notes", "a").has_value());
  for (int i = 0; i < 3; ++i)
    node->advance(0s);
  BOOST_TEST_TEXTS(seen, "a1", "a2", "a3");
  failing["b1"] = 1;
  post(node, "b", 1);
  post(node, "b", 2);
  node->run();
  BOOST_TEST(node.worker().drop_parked("test.notes", "b").has_value());
  node->run();
  BOOST_TEST(state(node).parked_keys == 0U);
  post(node, "b", 3);
  node->run();
  BOOST_TEST(seen.back() == "b3");
  BOOST_TEST(kept->held_events() == 0U);
}

// Commands that a handler dispatches belong to the event.
struct commanding : posted_events {
  [[nodiscard]] component opens_accounts(durable_options how = {}) {
    component hosted{"test.opens"};
    hosted
        .durably_on<posted>(
            "test.opens", [](const posted& e) { return e.key; },
            [this](const posted& e, context& ctx) {
              note(e);
              ctx.dispatch(delivered{e.key, e.number});
              ctx.dispatch(open_account{e.key});
            },
            how)
        .dispatches<open_account>();
    return hosted;
  }
  static std::size_t count(const journal& in, std::string_view type) {
    std::size_t found = 0;
    BOOST_TEST(in.read(1, {.events = 100'000}, [&](const record_view& r) {
                   found += r.type->name == type ? 1 : 0;
                 }).has_value());
    return found;
  }
};

BOOST_FIXTURE_TEST_CASE(commands_are_carried_out_once_however_often_the_event_is_delivered,
                        commanding) {
  {
    running_node node{{accounts(), opens_accounts()}, options()};
    post(node, "ann", 1);
    node->run();
    BOOST_TEST(count(node->journal(), "test.account_opened") == 1U);
    BOOST_TEST(state(node, "test.opens").lag == 0U);
  }
  fs::remove_all(test::directory_of_the_journal(data.path()) / "subscriptions");
  running_node node{{accounts(), opens_accounts()}, options()};
  node->run();
  BOOST_TEST(seen.size() == 2U);
  BOOST_TEST(count(node->journal(), "test.account_opened") == 1U);
  BOOST_TEST(count(node->journal(), "test.delivered") == 1U);
  BOOST_TEST(state(node, "test.opens").failures == 0U);
}

BOOST_FIXTURE_TEST_CASE(an_event_is_done_when_its_commands_have_ended_well, commanding) {
  durable_options how{.retries = {.times = 10, .first_delay = 1s, .max_delay = 1s}};
  {
    // Nobody serves the command: the event's own append is durable, and the event is not done.
    running_node node{{opens_accounts(how)}, options()};
    post(node, "ann", 1);
    node->run();
    node->advance(1s);
    BOOST_TEST(seen.size() == 2U);
    BOOST_TEST(state(node, "test.opens").retried_keys == 1U);
    BOOST_TEST(log.contain("nobody serves test.open_account"));
  }
  running_node node{{accounts(), opens_accounts(how)}, options()};
  node->run();
  node->advance(0s);
  BOOST_TEST(count(node->journal(), "test.account_opened") == 1U);
  BOOST_TEST(count(node->journal(), "test.delivered") == 1U);
  BOOST_TEST(state(node, "test.opens").retried_keys == 0U);
}

BOOST_AUTO_TEST_CASE(continuations_belong_to_the_event) {
  component hosted{"test.steps"};
  hosted.durably_on<posted>(
      "test.steps", [](const posted& e) { return e.key; },
      [this](const posted& e, context& ctx) {
        ctx.dispatch_and_wait<work_done>(work{e.number})
            .then(
                [this, e](const work_done& done, context& then) {
                  note(e);
                  then.dispatch(delivered{e.key, done.number});
                },
                [](const failure& why) { throw std::runtime_error{why.text}; });
      },
      {.retries = {.times = 3, .first_delay = 1s, .max_delay = 1s}});
  failing["a7"] = 1;
  running_node node{{worker(), hosted}, options()};
  post(node, "a", 7);
  node->run();
  BOOST_TEST(journaled(node->journal()).empty());
  node->advance(1s);
  BOOST_TEST_TEXTS(journaled(node->journal()), "a7");
  BOOST_TEST(state(node, "test.steps").lag == 0U);
  // The command of the second delivery was known.
  BOOST_TEST(commanding::count(node->journal(), "test.work_done") == 1U);
}

BOOST_AUTO_TEST_CASE(a_full_disk_parks_nothing) {
  running_node node{{notes({.retries = {.times = 1, .first_delay = 1s, .max_delay = 1s}})},
                    options()};
  post(node, "a", 1);
  node->run();
  bool full = true;
  script->refuses = [&](const append_request& request) {
    bool own =
        !request.events.empty() && request.events.front().message.type().name == "test.delivered";
    return full && own ? std::optional{test::disk_is_full()} : std::nullopt;
  };
  post(node, "a", 2);
  for (int i = 0; i < 10; ++i)
    node->advance(1s);
  BOOST_TEST(state(node).parked_keys == 0U);
  BOOST_TEST(state(node).retried_keys == 1U);
  full = false;
  node->advance(1s);
  node->advance(1s);
  BOOST_TEST_TEXTS(journaled(node->journal()), "a1", "a2");
}

BOOST_AUTO_TEST_CASE(a_key_that_cannot_be_known_parks_the_event_by_itself) {
  component hosted{"test.keys"};
  hosted.durably_on<posted>(
      "test.keys",
      [](const posted& e) {
        if (e.number == 1)
          throw std::runtime_error{"no key"};
        return e.number == 2 ? std::string(5'000, 'x') : e.key;
      },
      [this](const posted& e) { note(e); });
  running_node node{{hosted}, options()};
  for (int i = 1; i <= 3; ++i)
    post(node, "a", i);
  node->run();
  BOOST_TEST_TEXTS(seen, "a3");
  BOOST_TEST(state(node, "test.keys").parked_keys == 2U);
  auto parked = node.worker().subscription_state("test.keys")->find("(event 1)").value();
  BOOST_TEST_REQUIRE(parked.has_value());
  BOOST_TEST(parked->why.find("no key") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
