// Room for rows: the map of a projection grows with them, up to its limit.

#include "persistence/projection_fixture.hpp"
#include "persistence/thing_counts.hpp"

#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/table.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

struct long_row {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(long_row, (), (text))

constexpr table<std::string, long_row> long_rows{"long_rows"};

std::string long_name(int number) {
  return std::string(200, 'x') + std::to_string(number);
}

std::uint64_t count(const projection_store& store) {
  return store.read([](const read_transaction& t) { return counts.count(t); });
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(projection_room, projection_fixture)

BOOST_AUTO_TEST_CASE(a_full_map_is_an_error_that_goes_away_with_more_room) {
  auto opened = projection_store::open(
      thing_counts(), {.directory = directory.path(), .map_limit_bytes = 128 * 1024}, *source);
  BOOST_TEST_REQUIRE(opened.has_value());
  for (int i = 0; i < 400; ++i)
    make(long_name(i), 1);
  auto progress = (*opened)->catch_up(*source);
  BOOST_TEST_REQUIRE(progress.has_error());
  BOOST_TEST((progress.error().kind == storage_error_kind::full));
  BOOST_TEST(!(*opened)->stopped().has_value());
  opened->reset();
  auto store = open(thing_counts());
  catch_up(*store, *source);
  BOOST_TEST(count(*store) == 400U);
}

BOOST_AUTO_TEST_CASE(the_map_grows_with_the_rows_also_while_they_are_built_again) {
  auto opened = projection_store::open(
      thing_counts(), {.directory = directory.path(), .map_reserve_bytes = 128 * 1024}, *source);
  BOOST_TEST_REQUIRE(opened.has_value());
  for (int i = 0; i < 1000; ++i)
    make(long_name(i), 1);
  catch_up(**opened, *source, 300);
  BOOST_TEST(count(**opened) == 1000U);
  BOOST_TEST((*opened)->rebuild(*source).has_value());
  BOOST_TEST(count(**opened) == 1000U);
}

BOOST_AUTO_TEST_CASE(the_map_grows_in_the_middle_of_a_page_of_which_an_event_fails) {
  projection p{"sample.things", 1};
  p.keeps(counts).skips_failures().on<thing_made_event>(
      [](const thing_made_event& e, write_transaction& t) {
        if (e.name == "bad")
          throw std::runtime_error{"no"};
        counts.put(t, e.name, {e.size});
      });
  auto opened = projection_store::open(
      p, {.directory = directory.path(), .map_reserve_bytes = 128 * 1024}, *source);
  BOOST_TEST_REQUIRE(opened.has_value());
  for (int i = 0; i < 500; ++i)
    make(i == 250 ? "bad" : long_name(i), 1);
  catch_up(**opened, *source);
  BOOST_TEST(count(**opened) == 499U);
  BOOST_TEST((*opened)->skipped_count() == 1U);
}

BOOST_AUTO_TEST_CASE(an_event_for_which_there_is_no_room_is_not_skipped) {
  projection p{"sample.things", 1};
  p.keeps(long_rows).skips_failures().on<thing_made_event>(
      [](const thing_made_event& e, write_transaction& t) {
        long_rows.put(t, e.name, {std::string(100'000, 'x')});
      });
  auto open = [&](std::size_t limit) {
    auto opened = projection_store::open(
        p, {.directory = directory.path(), .map_limit_bytes = limit}, *source);
    BOOST_TEST_REQUIRE(opened.has_value());
    return std::move(*opened);
  };
  make("a", 1);
  make("b", 1);
  {
    auto store = open(192 * 1024);
    auto progress = store->catch_up(*source);
    BOOST_TEST_REQUIRE(progress.has_error());
    BOOST_TEST((progress.error().kind == storage_error_kind::full));
    BOOST_TEST(store->skipped_count() == 0U);
    BOOST_TEST(store->checkpoint() == 0U);
  }
  auto store = open(std::size_t{4} << 20);
  catch_up(*store, *source);
  BOOST_TEST(store->skipped_count() == 0U);
  BOOST_TEST(store->checkpoint() == 2U);
}

BOOST_AUTO_TEST_CASE(a_map_does_not_grow_past_its_limit_and_goes_on_where_that_is_raised) {
  auto open = [&](std::size_t limit) {
    auto opened = projection_store::open(
        thing_counts(),
        {.directory = directory.path(), .map_limit_bytes = limit, .map_reserve_bytes = 128 * 1024},
        *source);
    BOOST_TEST_REQUIRE(opened.has_value());
    return std::move(*opened);
  };
  for (int i = 0; i < 2000; ++i)
    make(long_name(i), 1);
  {
    auto store = open(512 * 1024);
    std::optional<storage_error> refused;
    while (!refused && store->checkpoint() < 2000) {
      auto progress = store->catch_up(*source, 50);
      if (!progress)
        refused = progress.error();
    }
    BOOST_TEST_REQUIRE(refused.has_value());
    BOOST_TEST((refused->kind == storage_error_kind::full));
    BOOST_TEST(refused->text.find("Make room") != std::string::npos);
    BOOST_TEST(fs::file_size(directory.path() / "projections" / "things" / "data.mdb") <=
               512U * 1024U);
    // What it has is served, and nothing of what it has not.
    BOOST_TEST(count(*store) == store->checkpoint());
    BOOST_TEST(store->checkpoint() > 300U);
  }
  auto store = open(std::size_t{4} << 20);
  catch_up(*store, *source);
  BOOST_TEST(count(*store) == 2000U);
}

BOOST_AUTO_TEST_SUITE_END()
