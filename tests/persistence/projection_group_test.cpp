#include "persistence/projection_fixture.hpp"
#include "persistence/samples.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <tuple>

namespace {

using namespace microlith;
using namespace sample;

struct count_row {
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(count_row, (), (count))

constexpr table<std::string, count_row> by_name{"by_name"};
constexpr table<std::uint32_t, count_row> by_size{"by_size"};

projection names_projection(std::uint16_t version = 1) {
  projection p{"names", version};
  p.keeps(by_name);
  p.on<thing_made_event>([](const thing_made_event& e, write_transaction& t) {
    by_name.put(t, e.name, {by_name.get(t, e.name).value_or(count_row{}).count + 1});
  });
  return p;
}

projection sizes_projection() {
  projection p{"sizes", 1};
  p.keeps(by_size);
  p.on<thing_made_event>([](const thing_made_event& e, write_transaction& t) {
    by_size.put(t, e.size, {by_size.get(t, e.size).value_or(count_row{}).count + 1});
    if (e.size == 13)
      throw std::runtime_error{"thirteen"};
  });
  p.on<thing_broken_event>([](const thing_broken_event& e, write_transaction& t) {
    by_name.erase(t, e.name);  // a table of the other one
  });
  return p;
}

struct fixture : projection_fixture {
  /// How many names and sizes a reader sees at once.
  static std::pair<std::uint64_t, std::uint64_t> counts(const projection_store& store) {
    return store.read([](const read_transaction& t) {
      return std::pair{by_name.count(t), by_size.count(t)};
    });
  }
};

projection_group both(std::uint16_t version = 1) {
  projection_group group{"both"};
  group.add(names_projection(version)).add(sizes_projection());
  return group;
}

using counted = std::pair<std::uint64_t, std::uint64_t>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(projection_group, fixture)

BOOST_AUTO_TEST_CASE(the_projections_of_a_group_move_together) {
  auto store = open(both());
  make("a", 1);
  make("b", 2);
  BOOST_TEST(store->catch_up(*source, 1)->checkpoint == 1U);
  BOOST_TEST((counts(*store) == counted{1, 1}));
  store->read([&](const read_transaction& before) {
    BOOST_TEST(store->catch_up(*source)->checkpoint == 2U);
    BOOST_TEST(by_name.count(before) == 1U);
    BOOST_TEST(by_size.count(before) == 1U);
  });
  BOOST_TEST((counts(*store) == counted{2, 2}));
}

BOOST_AUTO_TEST_CASE(where_one_stops_the_group_stands) {
  auto store = open(both());
  make("a", 1);
  make("b", 13);
  make("c", 2);
  BOOST_TEST(store->catch_up(*source).has_value());
  BOOST_TEST_REQUIRE(store->stopped().has_value());
  BOOST_TEST(store->stopped()->text.find("projection sizes stopped before event 2") !=
             std::string::npos);
  BOOST_TEST((counts(*store) == counted{1, 1}));
}

BOOST_AUTO_TEST_CASE(what_one_skips_the_others_apply) {
  microlith::projection_group group{"both"};
  group.add(names_projection()).add(sizes_projection().skips_failures());
  auto store = open(group);
  make("a", 1);
  make("b", 13);
  BOOST_TEST(store->catch_up(*source)->checkpoint == 2U);
  BOOST_TEST((counts(*store) == counted{2, 1}));
  BOOST_TEST_REQUIRE(store->skipped().size() == 1U);
  BOOST_TEST(store->skipped().front().projection == "sizes");
}

BOOST_AUTO_TEST_CASE(each_writes_its_own_tables) {
  auto store = open(both());
  make("a", 1);
  append_request request;
  request.events.push_back({message_of(thing_broken_event{"a"}), ""});
  append_ok(*source, request);
  BOOST_TEST(store->catch_up(*source).has_value());
  BOOST_TEST_REQUIRE(store->stopped().has_value());
  BOOST_TEST(store->stopped()->text.find("by_name") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_change_of_one_derives_all_again) {
  make("a", 1);
  (void)open(both())->catch_up(*source);
  BOOST_TEST(open(both())->checkpoint() == 1U);
  BOOST_TEST(open(both(2))->checkpoint() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
