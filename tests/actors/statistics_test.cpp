#include "samples.hpp"
#include "support/node.hpp"

#include <microlith/actors/internal/refusal_log.hpp>

#include <numeric>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::running_node;

namespace {

/// Encoding one that is neither throws.
enum class shade : std::uint8_t { light, dark };
BOOST_DESCRIBE_ENUM(shade, light, dark)

struct painted {
  using message = event<"test.painted">;
  shade with = shade::light;
};
BOOST_DESCRIBE_STRUCT(painted, (), (with))

std::uint64_t passed(const microlith::statistics& all, std::string_view bus,
                     std::string_view type) {
  for (const auto& each : all.messages) {
    if (each.bus == bus && each.type == type)
      return each.count;
  }
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(statistics)

BOOST_AUTO_TEST_CASE(messages_are_counted_by_bus_and_type) {
  running_node node{{worker()}};
  auto answers = node.queries().subscribe<ping>([](const ping&) { return pong{}; }).value();
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{i}).failed());
  BOOST_TEST(!node.queries().ask(ping{}).failed());
  BOOST_TEST(node.events().dispatch(work_refused{}).has_value());
  node->run();
  auto all = node.counted();
  BOOST_TEST(passed(all, "command", "test.work") == 3U);
  BOOST_TEST(passed(all, "query", "test.ping") == 1U);
  BOOST_TEST(passed(all, "event", "test.work_done") == 3U);
  BOOST_TEST(passed(all, "event", "test.work_refused") == 1U);
  BOOST_TEST(all.journal_position == 3U);
}

BOOST_AUTO_TEST_CASE(waits_are_counted_by_outcome) {
  running_node node{{worker()}};
  auto broken = node.commands().subscribe<other_work>(
      [](const other_work&) { throw std::logic_error{"no"}; });
  BOOST_TEST(!node.commands().dispatch_and_wait<work_done>(work{}).failed());
  BOOST_TEST(node.commands().dispatch_and_wait<work_done>(other_work{}).failed());
  BOOST_TEST(node.events().wait_for<work_done>(correlation_id::make(), 1s).failed());
  auto outcomes = node.counted().waits_by_outcome;
  BOOST_TEST(outcomes.at("answered") == 1U);
  BOOST_TEST(outcomes.at("handler_failed") == 1U);
  BOOST_TEST(outcomes.at("timeout") == 1U);
  BOOST_TEST(outcomes.at("stopped") == 0U);
  BOOST_TEST(node.counted().handler_exceptions == 1U);
}

BOOST_AUTO_TEST_CASE(a_handler_whose_event_cannot_be_stored_has_not_thrown) {
  running_node node;
  auto painter = node.commands()
                     .subscribe<work>([](const work&, context& ctx) {
                       ctx.dispatch(painted{static_cast<shade>(9)});
                     })
                     .value();
  auto why = test::failure_of(node.commands().dispatch_and_wait<painted>(work{}));
  BOOST_TEST(why.kind == failure_kind::handler_failed);
  BOOST_TEST(why.certainty == certainty::not_done);
  BOOST_TEST(why.text.find("enum value 9") != std::string::npos, why.text);
  BOOST_TEST(node.counted().handler_exceptions == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_in_flight_and_in_mailboxes_is_shown) {
  running_node node{{worker()}};
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(node.commands().dispatch(work{i}).has_value());
  auto before = node.counted();
  BOOST_TEST(before.in_flight.at("command") == 5U);
  BOOST_TEST(before.mailbox_depth.at("command") == 5U);
  BOOST_TEST(before.conversation_slots == 5U);
  node->run();
  auto after = node.counted();
  BOOST_TEST(after.in_flight.at("command") == 0U);
  BOOST_TEST(after.mailbox_depth.at("command") == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_refused_is_counted_by_reason_and_said_now_and_then) {
  test::log_lines log;
  running_node node{{}, test::logging_to(log)};
  auto refused = [&](const char* reason) { return node.counted().refused.at(reason); };
  for (int i = 0; i < 3; ++i)
    node.commands().dispatch(other_work{});
  BOOST_TEST(refused("no_handler") == 3U);
  BOOST_TEST(log.count("refused: no_handler (not_done): nobody serves test.other_work; host the "
                       "component that does") == 1U);
  // Who waits for the answer cannot overlook it.
  BOOST_TEST(node.commands().dispatch_and_wait<accepted>(work{}).failed());
  BOOST_TEST(refused("no_handler") == 4U);
  BOOST_TEST(!log.contain("nobody serves test.work;"));

  node->advance(internal::refusal_log::interval);
  node.commands().dispatch(other_work{});
  BOOST_TEST(log.count("; and 2 more for the same reason since the last such line") == 1U);
  node.stop();
  auto lines = log.count("");
  node.commands().dispatch(work{});
  BOOST_TEST(refused("stopped") == 1U);
  BOOST_TEST(refused("overloaded") == 0U);
  // The node has ended, and with it perhaps what its log writes to.
  BOOST_TEST(log.count("") == lines);
}

BOOST_AUTO_TEST_CASE(what_a_handler_sends_in_vain_is_counted_and_said) {
  test::log_lines log;
  running_node node{{}, test::logging_to(log)};
  auto handler = node.commands()
                     .subscribe<work>([](const work&, context& ctx) { ctx.dispatch(other_work{}); })
                     .value();
  BOOST_TEST(node.commands().dispatch(work{}).has_value());
  node->run();
  BOOST_TEST(node.counted().refused.at("no_handler") == 1U);
  BOOST_TEST(log.count("refused: no_handler (not_done): nobody serves test.other_work;") == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_refused_while_a_node_stops_is_said) {
  test::log_lines log;
  running_node node{{}, test::logging_to(log)};
  std::optional<command_bus> commands = node.commands();
  auto listening = node.events().subscribe<work_done>(
      [&](const work_done&) { commands->dispatch(other_work{}); });
  BOOST_TEST(node.events().dispatch(work_done{}).has_value());
  node.stop();
  BOOST_TEST(node.counted().refused.at("stopped") == 1U);
  BOOST_TEST(log.count("refused: stopped (not_done): the node is stopping;") == 1U);
}

BOOST_AUTO_TEST_CASE(pending_waits_are_shown) {
  running_node node;
  node.events().wait_for<work_done>(correlation_id::make(), 1s, [](const answer<work_done>&) {});
  BOOST_TEST(node.counted().pending_waits == 1U);
  node->advance(1s);
  BOOST_TEST(node.counted().pending_waits == 0U);
}

BOOST_AUTO_TEST_CASE(commits_are_measured) {
  running_node node{{worker()}};
  for (int i = 0; i < 7; ++i)
    BOOST_TEST(node.commands().dispatch(work{i}).has_value());
  node->run();
  auto all = node.counted();
  BOOST_TEST(all.commit_batch_events.sum == 7.0);
  const auto& counts = all.commit_batch_events.counts;
  BOOST_TEST(counts.size() == all.commit_batch_events.bounds.size() + 1);
  auto commits = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  BOOST_TEST(commits >= 1U);
  const auto& durations = all.commit_duration_seconds.counts;
  BOOST_TEST(std::accumulate(durations.begin(), durations.end(), std::uint64_t{0}) == commits);
}

BOOST_AUTO_TEST_CASE(a_histogram_counts_values_up_to_each_bound) {
  internal::histogram_counter<2> counter{{1, 10}};
  for (double value : {0.5, 1.0, 1.5, 10.0, 11.0})
    counter.observe(value);
  auto shown = counter.snapshot();
  BOOST_TEST(shown.counts == (std::vector<std::uint64_t>{2, 2, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(shown.sum == 24.0);
}

BOOST_AUTO_TEST_SUITE_END()
