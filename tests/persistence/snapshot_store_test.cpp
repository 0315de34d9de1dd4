#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/snapshot_layout.hpp>
#include <microlith/persistence/snapshot_store.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace microlith;

const message_id epoch{1, 2};

bytes bytes_of(std::string_view text) {
  auto raw = std::as_bytes(std::span{text.data(), text.size()});
  return {raw.begin(), raw.end()};
}

snapshot kept(std::string stream, std::uint64_t version, std::string_view state = "state") {
  return {.stream = std::move(stream),
          .version = version,
          .event = {0x0404040404040404, 0x0505050505050505},
          .fingerprint = 0x0303030303030303,
          .state = bytes_of(state)};
}

struct fixture {
  test::temporary_directory directory;

  std::unique_ptr<snapshot_store> open(message_id of = epoch, std::size_t map_bytes = 0) const {
    auto opened = snapshot_store::open(
        {.directory = directory.path(), .map_limit_bytes = map_bytes, .sync = false}, of);
    if (!opened)
      BOOST_FAIL(opened.error().text);
    return std::move(*opened);
  }
  static void put(snapshot_store& store, snapshot one) {
    auto written = store.put(std::span{&one, 1});
    if (!written)
      BOOST_FAIL(written.error().text);
  }
};

constexpr std::uint64_t fingerprint = 0x0303030303030303;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(snapshot_store, fixture)

BOOST_AUTO_TEST_CASE(the_newest_of_a_stream_is_found_also_later) {
  {
    auto store = open();
    BOOST_TEST(!store->find("a", fingerprint).has_value());
    put(*store, kept("a", 10, "old"));
    put(*store, kept("a", 20, "new"));
    put(*store, kept("b", 5));
    BOOST_TEST((store->find("a", fingerprint) == kept("a", 20, "new")));
  }
  auto store = open();
  BOOST_TEST((store->find("a", fingerprint) == kept("a", 20, "new")));
  BOOST_TEST(store->count() == 2U);
}

BOOST_AUTO_TEST_CASE(one_of_another_type_of_state_is_not_found) {
  auto store = open();
  put(*store, kept("a", 10));
  BOOST_TEST(!store->find("a", fingerprint + 1).has_value());
}

BOOST_AUTO_TEST_CASE(those_of_another_journal_are_thrown_away) {
  put(*open(), kept("a", 10));
  BOOST_TEST(open({3, 4})->count() == 0U);
  BOOST_TEST(open()->count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_changed_one_is_not_found) {
  auto file = directory.path() / "snapshots" / "data.mdb";
  put(*open(), kept("a", 10, "the state that changes"));
  std::string content;
  {
    std::ifstream in{file, std::ios::binary};
    content.assign(std::istreambuf_iterator<char>{in}, {});
  }
  auto at = content.find("the state that changes");
  BOOST_TEST_REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = content.find("the state that changes", at + 1))
    content[at] = 'T';
  std::ofstream{file, std::ios::binary} << content;
  BOOST_TEST(!open()->find("a", fingerprint).has_value());
}

BOOST_AUTO_TEST_CASE(a_cut_file_and_a_deleted_one_begin_again) {
  auto folder = directory.path() / "snapshots";
  put(*open(), kept("a", 10));
  std::filesystem::resize_file(folder / "data.mdb", 4096 * 2 + 100);
  BOOST_TEST(open()->count() == 0U);
  put(*open(), kept("a", 10));
  std::filesystem::remove_all(folder);
  BOOST_TEST(open()->count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_full_map_says_so_and_serves_what_it_has) {
  auto store = open(epoch, 128 * 1024);
  put(*store, kept("a", 10));
  auto large = kept("b", 10, std::string(200'000, 'x'));
  auto written = store->put(std::span{&large, 1});
  BOOST_TEST_REQUIRE(written.has_error());
  BOOST_TEST((written.error().kind == storage_error_kind::full));
  BOOST_TEST(store->find("a", fingerprint).has_value());
  put(*store, kept("c", 10));
  BOOST_TEST(store->count() == 2U);
}

BOOST_AUTO_TEST_CASE(the_map_grows_up_to_its_limit) {
  auto open_small = [&](std::size_t limit) {
    auto opened = microlith::snapshot_store::open({.directory = directory.path(),
                                                   .map_limit_bytes = limit,
                                                   .map_reserve_bytes = 128 * 1024,
                                                   .sync = false},
                                                  epoch);
    BOOST_TEST_REQUIRE(opened.has_value());
    return std::move(*opened);
  };
  const std::string large(50'000, 'x');
  std::uint64_t kept_until_full = 0;
  {
    auto store = open_small(std::size_t{1} << 20);
    for (std::optional<storage_error> refused; !refused && kept_until_full < 1000;) {
      auto next = kept(std::to_string(kept_until_full), 1, large);
      if (auto written = store->put(std::span{&next, 1}); !written)
        refused = written.error();
      else
        ++kept_until_full;
      if (refused)
        BOOST_TEST((refused->kind == storage_error_kind::full));
    }
    BOOST_TEST(kept_until_full > 10U);
    BOOST_TEST(kept_until_full < 1000U);
    BOOST_TEST(store->count() == kept_until_full);
  }
  auto store = open_small(0);
  for (int i = 0; i < 40; ++i)
    put(*store, kept("more " + std::to_string(i), 1, large));
  BOOST_TEST(store->count() == kept_until_full + 40);
  BOOST_TEST(store->find("0", fingerprint).has_value());
}

BOOST_AUTO_TEST_CASE(a_state_that_is_too_large_is_not_kept) {
  auto store = open();
  put(*store, kept("a", 10, std::string(max_snapshot_bytes + 1, 'x')));
  BOOST_TEST(store->count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_of_format_1_is_readable_for_ever) {
  auto written = test::golden("persistence/snapshot_v1.hex");
  auto read = internal::decode_snapshot(written);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((*read == kept("shop.item/tea", 17)));
  BOOST_TEST(test::hex(internal::encode_snapshot(*read)) == test::hex(written));
  auto state = test::golden("persistence/snapshot_state_v1.hex");
  BOOST_TEST((internal::decode_snapshot_state(state) == epoch));
  BOOST_TEST(test::hex(internal::encode_snapshot_state(epoch)) == test::hex(state));
}

BOOST_AUTO_TEST_CASE(any_change_of_a_snapshot_is_noticed) {
  auto value = internal::encode_snapshot(kept("a", 3));
  for (std::size_t at = 0; at < value.size(); ++at) {
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!internal::decode_snapshot(value).has_value());
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!internal::decode_snapshot(std::span{value}.first(at)).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
