// What becomes of an event that a projection cannot apply, as it declares.

#include "persistence/projection_fixture.hpp"
#include "persistence/samples.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace microlith;
using namespace sample;
using namespace std::chrono_literals;

struct size_row {
  std::uint32_t size = 0;
};
BOOST_DESCRIBE_STRUCT(size_row, (), (size))

constexpr table<std::string, size_row> sizes{"sizes"};

struct fixture : projection_fixture {
  unsigned failures_left = 1'000'000;

  // Writes a row and then fails where the size is 13.
  projection rows() {
    projection p{"sizes", 1};
    p.keeps(sizes);
    p.on<thing_made_event>([this](const thing_made_event& e, write_transaction& t) {
      sizes.put(t, e.name, {e.size});
      if (e.size == 13 && failures_left != 0) {
        --failures_left;
        throw std::runtime_error{"thirteen"};
      }
    });
    return p;
  }

  static catch_up_progress step(projection_store& store, const journal& from,
                                std::uint64_t page = 1000) {
    auto progress = store.catch_up(from, page);
    if (!progress)
      BOOST_FAIL(progress.error().text);
    return *progress;
  }

  static std::vector<std::string> names(const projection_store& store) {
    std::vector<std::string> all;
    store.read([&](const read_transaction& t) {
      sizes.for_each(t, [&](const std::string& name, const size_row&) { all.push_back(name); });
    });
    return all;
  }
};

using texts = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(projection_failures, fixture)

BOOST_AUTO_TEST_CASE(a_skipped_event_leaves_a_record_and_no_row) {
  auto store = open(rows().skips_failures());
  for (const auto& [name, size] : {std::pair{"a", 1U}, {"bad", 13U}, {"b", 2U}, {"worse", 13U}})
    make(name, size);
  auto progress = step(*store, *source);
  BOOST_TEST(progress.checkpoint == 4U);
  BOOST_TEST(!progress.more);
  BOOST_TEST(!progress.held_up.has_value());
  BOOST_TEST(!store->stopped().has_value());
  BOOST_TEST((names(*store) == texts{"a", "b"}));
  auto skipped = store->skipped();
  BOOST_TEST_REQUIRE(skipped.size() == 2U);
  BOOST_TEST(skipped[0].position == 2U);
  BOOST_TEST(skipped[0].projection == "sizes");
  BOOST_TEST(skipped[0].type == "sample.thing_made_event");
  BOOST_TEST(!skipped[0].id.empty());
  BOOST_TEST(skipped[0].why == "thirteen");
  BOOST_TEST(store->skipped(2).size() == 1U);
  BOOST_TEST(store->skipped(0, 1).size() == 1U);
  BOOST_TEST(store->skipped_count() == 2U);
  store.reset();
  store = open(rows().skips_failures());
  BOOST_TEST(store->skipped_count() == 2U);
  BOOST_TEST((store->skipped() == skipped));
}

BOOST_AUTO_TEST_CASE(a_rebuild_has_records_of_its_own) {
  auto store = open(rows().skips_failures());
  make("a", 1);
  make("bad", 13);
  step(*store, *source);
  BOOST_TEST(store->skipped_count() == 1U);
  failures_left = 0;
  BOOST_TEST(store->rebuild(*source).has_value());
  BOOST_TEST(store->skipped_count() == 0U);
  BOOST_TEST(store->skipped().empty());
  BOOST_TEST((names(*store) == texts{"a", "bad"}));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_too_long_is_a_failure_like_any_other) {
  make("a", 1);
  make(std::string(600, 'x'), 2);
  make("b", 3);
  {
    auto store = open(rows());
    step(*store, *source);
    BOOST_TEST_REQUIRE(store->stopped().has_value());
    BOOST_TEST(store->stopped()->position == 2U);
    BOOST_TEST(store->stopped()->text.find("511") != std::string::npos);
  }
  auto store = open(rows().skips_failures());
  BOOST_TEST(step(*store, *source).checkpoint == 3U);
  BOOST_TEST((names(*store) == texts{"a", "b"}));
  BOOST_TEST_REQUIRE(store->skipped().size() == 1U);
  BOOST_TEST(store->skipped().front().why.find("511") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_failure_is_tried_again_as_often_as_declared_and_then_stops) {
  auto store = open(rows().retries_failures({.times = 3, .first_delay = 10ms, .max_delay = 15ms}));
  make("a", 1);
  make("bad", 13);
  std::vector<std::chrono::milliseconds> delays;
  for (int i = 0; i < 3; ++i) {
    auto progress = step(*store, *source);
    BOOST_TEST(progress.checkpoint == 1U);
    BOOST_TEST(progress.more);
    BOOST_TEST_REQUIRE(progress.held_up.has_value());
    BOOST_TEST(progress.held_up->position == 2U);
    delays.push_back(progress.retry_after);
  }
  BOOST_TEST((delays == std::vector{10ms, 15ms, 15ms}));
  BOOST_TEST(!store->stopped().has_value());
  BOOST_TEST(store->catch_up(*source).has_error());
  BOOST_TEST(store->stopped().has_value());
  BOOST_TEST(store->skipped_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_failure_may_be_skipped_after_it_was_tried_again) {
  failures_left = 4;  // a page is tried as a whole first
  auto store = open(rows().retries_failures({.times = 1}).skips_failures());
  make("bad", 13);
  make("b", 1);
  BOOST_TEST(step(*store, *source).held_up.has_value());
  BOOST_TEST(step(*store, *source).checkpoint == 2U);
  BOOST_TEST((names(*store) == texts{"b"}));
  BOOST_TEST(store->skipped_count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_failure_that_passes_leaves_nothing) {
  failures_left = 2;
  auto store = open(rows().retries_failures());
  make("bad", 13);
  BOOST_TEST(step(*store, *source).held_up.has_value());
  auto progress = step(*store, *source);
  BOOST_TEST(!progress.held_up.has_value());
  BOOST_TEST(progress.checkpoint == 1U);
  BOOST_TEST((names(*store) == texts{"bad"}));
}

BOOST_AUTO_TEST_CASE(the_old_rows_follow_while_others_are_filled_beside_them) {
  auto store = open(rows());
  for (int i = 0; i < 10; ++i)
    make("a" + std::to_string(i), 1);
  step(*store, *source);
  BOOST_TEST(store->begin_rebuild().has_value());
  auto some = store->rebuild_some(*source, 4);
  BOOST_TEST(some->checkpoint == 4U);
  BOOST_TEST(some->more);
  make("b", 1);
  BOOST_TEST(step(*store, *source).checkpoint == 11U);
  BOOST_TEST(names(*store).size() == 11U);
  some = store->rebuild_some(*source, 4);
  BOOST_TEST(some->more);
  BOOST_TEST(names(*store).size() == 11U);
  some = store->rebuild_some(*source, 4);
  BOOST_TEST(!some->more);
  BOOST_TEST(store->checkpoint() == 11U);
  BOOST_TEST(names(*store).size() == 11U);
  make("c", 1);
  BOOST_TEST(step(*store, *source).checkpoint == 12U);
  BOOST_TEST(names(*store).size() == 12U);
}

BOOST_AUTO_TEST_SUITE_END()
