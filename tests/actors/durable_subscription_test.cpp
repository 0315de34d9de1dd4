// Handlers with side effects: every event at least once, in order by key, whatever fails.

#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"
#include "support/temporary_directory.hpp"

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

namespace {

// An event of some key; what is to become of it is up to the test.
struct posted {
  using message = microlith::event<"test.posted">;
  std::string key;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(posted, (), (key, number))

// What handlers make of it.
struct delivered {
  using message = microlith::event<"test.delivered">;
  std::string key;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(delivered, (), (key, number))

struct nobody_serves_this {
  using message = microlith::command<"test.nobody_serves_this">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(nobody_serves_this, (), (number))

using texts = std::vector<std::string>;

struct fixture {
  test::temporary_directory data;
  std::shared_ptr<test::journal_script> script = std::make_shared<test::journal_script>();
  test::log_lines log;
  texts seen;                          // "a1" for number 1 of key a
  std::map<std::string, int> failing;  // how often each is still to fail

  [[nodiscard]] node_options options() {
    return {.data = data.path(),
            .scheduler = scheduling::deterministic,
            .log = log.writer(),
            .wrap_journal = test::scripted(script)};
  }

  void note(const posted& e) {
    auto name = e.key + std::to_string(e.number);
    seen.push_back(name);
    if (auto at = failing.find(name); at != failing.end() && at->second > 0) {
      --at->second;
      throw std::runtime_error{name + " fails"};
    }
  }

  // Notes what it sees, and answers with an event.
  [[nodiscard]] component notes(durable_options how = {}) {
    component hosted{"test.notes"};
    hosted.durably_on<posted>(
        "test.notes", [](const posted& e) { return e.key; },
        [this](const posted& e, context& ctx) {
          note(e);
          ctx.dispatch(delivered{e.key, e.number});
        },
        how);
    hosted.publishes<delivered>();
    return hosted;
  }

  static void post(running_node& node, const std::string& key, std::int64_t number) {
    BOOST_TEST_REQUIRE(node.events().dispatch(posted{key, number}).has_value());
  }

  // "a1" for each `delivered` in the journal.
  [[nodiscard]] static texts journaled(const journal& in) {
    texts all;
    auto read = in.read(1, {.events = 100'000, .bytes = 100'000'000}, [&](const record_view& r) {
      if (r.type->name != "test.delivered")
        return;
      auto e = decode<delivered>(r.body);
      all.push_back(e->key + std::to_string(e->number));
    });
    BOOST_TEST_REQUIRE(read.has_value());
    return all;
  }

  static durable_statistics state(running_node& node, const std::string& name = "test.notes") {
    return node.counted().durable_subscriptions.at(name);
  }
};

#define BOOST_TEST_TEXTS(a, ...) \
  BOOST_TEST((a) == (texts{__VA_ARGS__}), boost::test_tools::per_element())

}  // namespace

BOOST_FIXTURE_TEST_SUITE(durable_subscription, fixture)

BOOST_AUTO_TEST_CASE(every_event_is_delivered_also_those_of_the_past) {
  {
    running_node node{{}, options()};
    post(node, "a", 1);
    post(node, "b", 1);
    node->run();
  }
  running_node node{{notes()}, options()};
  node->run();
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "b1", "a2");
  BOOST_TEST_TEXTS(journaled(node->journal()), "a1", "b1", "a2");
  BOOST_TEST(state(node).lag == 0U);
  BOOST_TEST(state(node).in_flight == 0U);
  BOOST_TEST(state(node).delivered == 3U);
}

BOOST_AUTO_TEST_CASE(one_that_starts_now_leaves_the_past_alone) {
  {
    running_node node{{}, options()};
    post(node, "a", 1);
    node->run();
  }
  running_node node{{notes({.start = subscription_start::next_event})}, options()};
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a2");
}

BOOST_AUTO_TEST_CASE(it_goes_on_where_it_was) {
  {
    running_node node{{notes()}, options()};
    post(node, "a", 1);
    node->run();
  }
  running_node node{{notes()}, options()};
  post(node, "a", 2);
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "a2");
}

BOOST_AUTO_TEST_CASE(an_event_that_is_delivered_again_appends_nothing_twice) {
  {
    running_node node{{notes()}, options()};
    for (int i = 1; i <= 3; ++i)
      post(node, "a", i);
    node->run();
  }
  // The node died before it had noted that they are done.
  fs::remove_all(test::directory_of_the_journal(data.path()) / "subscriptions");
  running_node node{{notes()}, options()};
  node->run();
  BOOST_TEST_TEXTS(seen, "a1", "a2", "a3", "a1", "a2", "a3");
  BOOST_TEST_TEXTS(journaled(node->journal()), "a1", "a2", "a3");
  BOOST_TEST(state(node).failures == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_handler_dispatches_is_caused_by_the_event) {
  running_node node{{notes()}, options()};
  auto event = correlated(posted{"a", 1});
  BOOST_TEST(node.events().dispatch(event).has_value());
  node->run();
  message_id cause;
  correlation_id conversation;
  BOOST_TEST(node->journal()
                 .read(2, {.events = 1},
                       [&](const record_view& r) {
                         cause = r.causation;
                         conversation = r.correlation;
                         return false;
                       })
                 .has_value());
  BOOST_TEST(cause == event.id);
  BOOST_TEST(conversation == event.correlation);
}

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

BOOST_AUTO_TEST_CASE(the_window_bounds_what_is_in_flight) {
  // Handlers that wait for a word: nothing ends by itself.
  component hosted{"test.waits"};
  std::size_t begun = 0;
  hosted.durably_on<posted>(
      "test.waits", [](const posted& e) { return e.key; },
      [&](const posted&, context& ctx) {
        ++begun;
        ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
      },
      {.window = 4});
  running_node node{{hosted}, options()};
  std::vector<correlated_message<posted>> events;
  for (int i = 0; i < 10; ++i) {
    events.push_back(correlated(posted{std::to_string(i), i}));
    BOOST_TEST(node.events().dispatch(events.back()).has_value());
  }
  node->run();
  BOOST_TEST(begun == 4U);
  BOOST_TEST(state(node, "test.waits").in_flight == 4U);
  BOOST_TEST(state(node, "test.waits").lag == 10U);
  // A deliverer's wait is served where it is, or where the message began or came by.
  BOOST_TEST(node.worker()
                 .events()
                 .dispatch(correlated_in(events[0].correlation, work_done{}))
                 .has_value());
  node->run();
  BOOST_TEST(begun == 5U);
  for (int i = 0; i < 5; ++i)
    node->advance(10s);
  BOOST_TEST(begun == 10U);
  BOOST_TEST(state(node, "test.waits").in_flight == 0U);
  BOOST_TEST(state(node, "test.waits").lag == 0U);
}

BOOST_AUTO_TEST_CASE(events_of_one_key_go_one_after_the_other) {
  component hosted{"test.waits"};
  texts begun;
  hosted.durably_on<posted>(
      "test.waits", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        begun.push_back(e.key + std::to_string(e.number));
        ctx.wait_for<work_done>(10s).then([](const work_done&) {}, [](const failure&) {});
      });
  running_node node{{hosted}, options()};
  for (int i = 1; i <= 2; ++i)
    for (const char* key : {"a", "b"})
      post(node, key, i);
  node->run();
  BOOST_TEST_TEXTS(begun, "a1", "b1");
  node->advance(10s);
  // Which of the keys comes first is nobody's promise.
  BOOST_TEST_REQUIRE(begun.size() == 4U);
  std::sort(begun.begin() + 2, begun.end());
  BOOST_TEST_TEXTS(begun, "a1", "b1", "a2", "b2");
  node->advance(10s);
}

// Commands that a handler dispatches belong to the event.
struct commanding : fixture {
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

BOOST_AUTO_TEST_CASE(several_events_share_the_order_of_a_key) {
  component hosted{"test.both"};
  texts order;
  microlith::durable_subscription both{"test.both"};
  both.on<account_opened>([](const account_opened& e) { return e.owner; },
                          [&](const account_opened& e) { order.push_back("open " + e.owner); });
  both.on<deposited>([](const deposited& e) { return e.owner; },
                     [&](const deposited& e) { order.push_back("deposit " + e.owner); });
  hosted.subscribes(both);
  running_node node{{accounts(), hosted}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  node->run();
  BOOST_TEST_TEXTS(order, "open ann", "deposit ann");
  BOOST_TEST(describe({hosted}).find("test.deposited") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stopping_node_lets_what_is_in_flight_end) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  std::atomic<bool> begun{false};
  component hosted{"test.slow"};
  hosted.durably_on<posted>(
      "test.slow", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        begun = true;
        ctx.ask(ping{e.number}, {.limit = 60s})
            .then(
                [e](const pong&, context& then) {
                  then.dispatch(delivered{e.key, e.number});
                },
                [](const failure& why) { throw std::runtime_error{why.text}; });
      });
  {
    running_node node{{hosted}, threaded};
    auto answers =
        node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
    for (int i = 0; i < 20; ++i)
      BOOST_TEST(node.events().dispatch(posted{std::to_string(i), i}).has_value());
    test::eventually([&] { return begun.load(); }, "a delivery");
    node.stop();
  }
  running_node node{{hosted}, options()};
  auto answers =
      node.queries().subscribe<ping>([](const ping& q) { return pong{q.number}; }).value();
  node->run();
  node->advance(1s);
  auto all = journaled(node->journal());
  BOOST_TEST(all.size() == 20U);
  BOOST_TEST(std::set<std::string>(all.begin(), all.end()).size() == 20U);
  BOOST_TEST(state(node, "test.slow").parked_keys == 0U);
}

BOOST_AUTO_TEST_CASE(many_keys_on_many_threads_keep_their_order) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  std::mutex mutex;
  std::map<std::string, std::vector<std::int64_t>> by_key;
  component hosted{"test.many"};
  hosted.durably_on<posted>(
      "test.many", [](const posted& e) { return e.key; },
      [&](const posted& e, context& ctx) {
        {
          std::lock_guard lock{mutex};
          auto& all = by_key[e.key];
          // Every seventh one fails once.
          if (e.number % 7 == 0 && (all.empty() || all.back() != -e.number)) {
            all.push_back(-e.number);
            throw std::runtime_error{"seven"};
          }
          if (!all.empty() && all.back() == -e.number)
            all.pop_back();
          all.push_back(e.number);
        }
        ctx.dispatch(delivered{e.key, e.number});
      },
      {.window = 16, .workers = 3, .retries = {.times = 3, .first_delay = 1ms, .max_delay = 1ms}});
  running_node node{{hosted}, threaded};
  constexpr std::int64_t per_key = 20;
  for (std::int64_t i = 1; i <= per_key; ++i)
    for (const char* key : {"a", "b", "c", "d", "e"})
      BOOST_TEST_REQUIRE(node.events().dispatch(posted{key, i}).has_value());
  test::eventually([&] { return journaled(node->journal()).size() == 5 * per_key; }, "all events");
  test::eventually([&] { return state(node, "test.many").lag == 0; }, "the checkpoint");
  for (const auto& [key, all] : by_key) {
    BOOST_TEST_REQUIRE(all.size() == static_cast<std::size_t>(per_key));
    for (std::int64_t i = 1; i <= per_key; ++i)
      BOOST_TEST(all[static_cast<std::size_t>(i - 1)] == i);
  }
}

BOOST_AUTO_TEST_CASE(it_needs_a_data_directory) {
  auto started = microlith::node::start({.scheduler = scheduling::deterministic}, {notes()});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().text.find("data") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
