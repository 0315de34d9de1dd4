// Events that an older version of the application wrote, wherever events are read.

#include "support/node.hpp"
#include "support/scripted_journal.hpp"
#include "support/temporary_directory.hpp"

#include <boost/describe.hpp>

using namespace microlith;
using namespace std::chrono_literals;
using test::answered;
using test::running_node;

namespace {

struct parcel_moved_v1 {
  using message = microlith::event<"test.parcel_moved", 1>;
  std::string parcel;
  std::int64_t miles = 0;
};
BOOST_DESCRIBE_STRUCT(parcel_moved_v1, (), (parcel, miles))

struct parcel_moved {
  using message = microlith::event<"test.parcel_moved", 2>;
  using previous = parcel_moved_v1;
  std::string parcel;
  std::int64_t meters = 0;
};
BOOST_DESCRIBE_STRUCT(parcel_moved, (), (parcel, meters))

parcel_moved upcast(parcel_moved_v1 old) {
  return {old.parcel, old.miles * 1609};
}

struct move_parcel {
  using message = microlith::command<"test.move_parcel">;
  std::string parcel;
  std::int64_t meters = 0;
};
BOOST_DESCRIBE_STRUCT(move_parcel, (), (parcel, meters))

struct parcel {
  static constexpr std::string_view stream = "test.parcel";
  std::int64_t meters = 0;
};
BOOST_DESCRIBE_STRUCT(parcel, (), (meters))

std::string stream_key(const move_parcel& c) {
  return c.parcel;
}
// Says how far the parcel is in all.
parcel_moved decide(const parcel& state, const move_parcel& c) {
  return {c.parcel, state.meters + c.meters};
}
parcel evolve(parcel state, const parcel_moved& e) {
  return {state.meters + e.meters};
}

struct distance_row {
  std::int64_t meters = 0;
};
BOOST_DESCRIBE_STRUCT(distance_row, (), (meters))

const table<std::string, distance_row> distances{"distances"};

projection distances_projection(std::string name) {
  projection p{std::move(name), 1};
  p.keeps(distances);
  p.on<parcel_moved>(
      [](const parcel_moved& e, write_transaction& t) { distances.put(t, e.parcel, {e.meters}); });
  return p;
}

std::int64_t distance(const node& of, const std::string& projection) {
  return of.rows(projection)->read([](const read_transaction& t) {
    return distances.get(t, "p").value().meters;
  });
}

// A data directory in which version 1 of the application has moved a parcel by two miles.
struct fixture {
  test::temporary_directory data;

  fixture() {
    auto old = journal::open({.directory = data.path(), .sync = false});
    BOOST_REQUIRE(old.has_value());
    test::append_behind_its_back(**old, parcel_moved_v1{"p", 2}, "test.parcel/p");
    BOOST_TEST((*old)->types().at(0).version == 1U);
  }
  [[nodiscard]] node_options options() const {
    return {.data = data.path(), .scheduler = scheduling::deterministic};
  }
};

constexpr std::int64_t two_miles = 2 * 1609;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(upcasting, fixture)

BOOST_AUTO_TEST_CASE(streams_are_loaded_through_upcasters) {
  component parcels{"test.parcels"};
  parcels.handles<parcel, move_parcel>();
  running_node node{{parcels}, options()};
  auto moved = node.commands().dispatch_and_wait<parcel_moved>(move_parcel{"p", 1});
  BOOST_TEST(answered<parcel_moved>(moved).meters == two_miles + 1);
}

BOOST_AUTO_TEST_CASE(projections_see_upcast_events) {
  component rows{"test.rows"};
  auto inlined = distances_projection("test.inline");
  rows.projects(distances_projection("test.following")).projects(inlined.is_inline());
  running_node node{{rows}, options()};
  node->run();
  BOOST_TEST(distance(*node, "test.following") == two_miles);
  BOOST_TEST(distance(*node, "test.inline") == two_miles);
}

BOOST_AUTO_TEST_CASE(durable_subscriptions_and_parked_events_go_through_upcasters) {
  std::vector<std::int64_t> seen;
  bool fails = true;
  component hosted{"test.durable"};
  hosted.durably_on<parcel_moved>(
      "test.durable", [](const parcel_moved& e) { return e.parcel; },
      [&](const parcel_moved& e) {
        seen.push_back(e.meters);
        if (fails)
          throw std::runtime_error{"not yet"};
      },
      {.retries = {.times = 0}});
  {
    running_node node{{hosted}, options()};
    node->run();
    BOOST_TEST(node.counted().durable_subscriptions.at("test.durable").parked_events == 1U);
  }
  fails = false;
  running_node node{{hosted}, options()};
  BOOST_TEST(node->replay_parked("test.durable", "p").has_value());
  node->run();
  BOOST_TEST(node.counted().durable_subscriptions.at("test.durable").parked_events == 0U);
  BOOST_TEST((seen == std::vector<std::int64_t>{two_miles, two_miles}));
}

BOOST_AUTO_TEST_SUITE_END()
