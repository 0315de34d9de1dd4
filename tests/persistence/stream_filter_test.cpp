#include <microlith/persistence/internal/stream_filter.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <random>
#include <vector>

using namespace microlith::internal;

namespace {

std::vector<stream_key> random_keys(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  std::vector<stream_key> keys(count);
  for (auto& key : keys)
    key = {random(), random()};
  return keys;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_filter)

BOOST_AUTO_TEST_CASE(what_was_added_may_be_there_and_nearly_nothing_else) {
  microlith::internal::stream_filter filter;
  auto keys = random_keys(200'000, 1);  // more than one layer holds
  for (const auto& key : keys)
    filter.add(key);
  BOOST_TEST(filter.layer_count() > 1U);
  for (const auto& key : keys)
    BOOST_REQUIRE(filter.may_hold(key));
  std::size_t wrong = 0;
  for (const auto& key : random_keys(100'000, 2))
    wrong += filter.may_hold(key) ? 1U : 0U;
  BOOST_TEST(wrong < 2'500U);
  BOOST_TEST(filter.size_bytes() < 200'000U * 8);
}

BOOST_AUTO_TEST_CASE(an_empty_one_holds_nothing) {
  microlith::internal::stream_filter filter;
  for (const auto& key : random_keys(1000, 3))
    BOOST_TEST(!filter.may_hold(key));
}

BOOST_AUTO_TEST_CASE(pages_that_changed_bring_it_back) {
  microlith::internal::stream_filter filter;
  microlith::internal::stream_filter back;
  std::vector<std::byte> page(microlith::internal::stream_filter::page_bytes);
  auto keys = random_keys(50'000, 4);
  auto copy = [&] {
    back.add_layers(filter.layer_count());
    back.set_added(filter.added());
    for (auto id : filter.changed()) {
      filter.copy_page(id, page);
      BOOST_REQUIRE(back.load_page(id, page));
    }
    filter.all_written();
    BOOST_TEST(filter.changed().empty());
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    filter.add(keys[i]);
    if (i == 100 || i == 40'000)
      copy();
  }
  copy();
  BOOST_TEST(back.added() == filter.added());
  for (const auto& key : keys)
    BOOST_REQUIRE(back.may_hold(key));
  BOOST_TEST(!back.load_page({99, 0}, page));
  BOOST_TEST(!back.load_page({0, 1'000'000}, page));
}

BOOST_AUTO_TEST_SUITE_END()
