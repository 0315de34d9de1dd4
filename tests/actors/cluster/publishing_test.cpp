// What is published on the node that has the journal, as the others get it: many events in a frame.

#include "actors/cluster/samples.hpp"

#include <microlith/actors/internal/cluster/wire.hpp>

#include <boost/test/unit_test.hpp>

using namespace microlith;
using namespace microlith::test;
using namespace samples;
using namespace std::chrono_literals;

namespace {

/// The events in a frame of what was published; none in others.
std::vector<internal::wire::message> events_in(std::span<const std::byte> frame) {
  std::vector<internal::wire::message> events;
  if (frame.front() != static_cast<std::byte>(internal::wire::kind::published))
    return events;
  auto rest = frame.subspan(1);
  byte_reader reader{rest};
  while (reader.left() != 0 && !reader.failed()) {
    if (rest[rest.size() - reader.left()] == std::byte{internal::wire::use::none}) {
      internal::wire::published_facts facts;
      reader(facts);
    } else {
      reader(events.emplace_back());
    }
  }
  BOOST_REQUIRE(!reader.failed());
  return events;
}

/// One with the journal, one that listens.
struct publishing_nodes {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}}};
  node& a = nodes.start("a");
  node& b = nodes.start("b");

  void dispatch(const std::string& owner, principal who = {}) {
    BOOST_REQUIRE(a.events().dispatch(correlated(account_opened{owner}, std::move(who))));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(publishing)

BOOST_AUTO_TEST_CASE(
    events_cross_each_link_once_and_reach_subscribers_in_the_order_of_the_journal) {
  started_three at;
  std::map<std::string, std::vector<std::uint64_t>> positions;
  std::vector<subscription> listening;
  for (const char* name : {"a", "b", "c"}) {
    // Two on each node.
    for (int i = 0; i < 2; ++i)
      listening.push_back(at.nodes[name].events().subscribe<account_opened>(
          [&, key = name + std::to_string(i)](const account_opened&, context& ctx) {
            positions[key].push_back(ctx.position());
          }));
  }
  at.nodes.run();
  std::map<std::pair<std::string, std::string>, std::size_t> events;
  at.nodes.network->on_send = [&](const std::string& from, const std::string& to,
                                  std::span<const std::byte> frame) {
    for (const auto& each : events_in(frame))
      events[{from, to}] += (each.use & internal::wire::use::subscribe) != 0 ? 1 : 0;
  };
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(at.nodes[i % 2 == 0 ? "b" : "c"]
                   .commands()
                   .dispatch(open_account{std::to_string(i)})
                   .has_value());
  at.nodes.run();
  BOOST_TEST(positions.size() == 6U);
  for (const auto& [who, seen] : positions) {
    BOOST_TEST(seen.size() == 10U);
    BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
  }
  BOOST_TEST(events.size() == 2U);
  for (const auto& [link, count] : events)
    BOOST_TEST(count == 10U);
}

BOOST_AUTO_TEST_CASE(each_event_has_the_facts_of_its_own_conversation) {
  publishing_nodes at;
  std::vector<std::string> heard;
  auto listens = at.b.events().subscribe<account_opened>([&](const account_opened& e,
                                                             context& ctx) {
    heard.push_back(e.owner + " by " + ctx.who().subject + " at " + facts_of(ctx.head()).origin);
  });
  at.nodes.run();
  std::size_t frames = 0;
  at.nodes.network->on_send = [&](const std::string&, const std::string&,
                                  std::span<const std::byte> frame) {
    frames += events_in(frame).empty() ? 0 : 1;
  };
  // One commit takes them all.
  at.dispatch("1", {.subject = "ann"});
  at.dispatch("2", {.subject = "ann"});
  at.dispatch("3", {.subject = "bob"});
  at.dispatch("4");
  at.dispatch("5");
  at.dispatch("6", {.subject = "ann"});
  at.nodes.run();
  const std::vector<std::string> all{"1 by ann at a", "2 by ann at a", "3 by bob at a",
                                     "4 by  at a",    "5 by  at a",    "6 by ann at a"};
  BOOST_TEST(heard == all);
  BOOST_TEST(frames == 1U);
}

BOOST_AUTO_TEST_CASE(many_events_fill_frames_of_64_kib) {
  publishing_nodes at;
  std::vector<std::string> heard;
  auto listens = at.b.events().subscribe<account_opened>(
      [&](const account_opened& e) { heard.push_back(e.owner.substr(0, 4)); });
  at.nodes.run();
  std::vector<std::size_t> sizes;
  at.nodes.network->on_send = [&](const std::string&, const std::string&,
                                  std::span<const std::byte> frame) {
    if (!events_in(frame).empty())
      sizes.push_back(frame.size());
  };
  std::vector<std::string> all;
  for (int i = 1'000; i < 2'000; ++i) {
    all.push_back(std::to_string(i));
    at.dispatch(all.back() + std::string(200, 'x'));
  }
  at.nodes.run();
  BOOST_TEST(heard == all);
  constexpr std::size_t full_bytes = 64 << 10;
  BOOST_REQUIRE(sizes.size() > 1U);
  BOOST_TEST(sizes.back() > 0U);
  sizes.pop_back();
  for (auto size : sizes) {
    BOOST_TEST(size >= full_bytes);
    BOOST_TEST(size < full_bytes + 1'000);
  }
}

BOOST_AUTO_TEST_CASE(what_follows_an_event_arrives_after_it) {
  publishing_nodes at;
  auto serves = at.a.commands().subscribe<work>(
      [](const work& w, context& ctx) { ctx.dispatch(work_done{w.number}); });
  at.nodes.run();
  // Whoever hears of the end first has waited for nothing else.
  std::vector<std::string> ended;
  for (int i = 0; i < 3; ++i)
    at.b.commands().dispatch_and_wait<work_done, accepted>(
        work{i}, 1h, [&](const answer<work_done, accepted>& answer) {
          ended.push_back(answer.get_if<work_done>() ? "done" : "something else");
        });
  at.nodes.run();
  BOOST_TEST(ended == std::vector<std::string>(3, "done"));
}

BOOST_AUTO_TEST_SUITE_END()
