// Bytes that projections keep beside their rows; those of every version stay readable.

#include "persistence/projection_fixture.hpp"
#include "persistence/thing_counts.hpp"
#include "support/golden.hpp"

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>

#include <boost/test/unit_test.hpp>

namespace {

using namespace microlith;
using namespace microlith::internal;

projection_state state() {
  return {.epoch = {0x0101010101010101, 0x0202020202020202},
          .fingerprint = 0x0303030303030303,
          .checkpoint = 17,
          .bank = 1};
}

skipped_event skipped() {
  return {.position = 17,
          .projection = "shop.sales",
          .type = "shop.item_sold_event",
          .id = {0x0101010101010101, 0x0202020202020202},
          .why = "a key is too long"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(projection_layout)

BOOST_AUTO_TEST_CASE(a_state_of_format_1_is_readable_for_ever) {
  auto written = test::golden("persistence/projection_state_v1.hex");
  auto read = decode_projection_state(written);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((read->epoch == state().epoch));
  BOOST_TEST(read->fingerprint == state().fingerprint);
  BOOST_TEST(read->checkpoint == 17U);
  BOOST_TEST(read->bank == 1U);
  BOOST_TEST(test::hex(encode_projection_state(state())) == test::hex(written));
}

BOOST_AUTO_TEST_CASE(a_skipped_event_of_format_1_is_readable_for_ever) {
  auto written = test::golden("persistence/skipped_event_v1.hex");
  auto read = decode_skipped(encode_skipped_key(17, 2), written);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((*read == skipped()));
  BOOST_TEST(test::hex(encode_skipped(skipped())) == test::hex(written));
}

// A store that has written one row, and its bytes.
BOOST_AUTO_TEST_CASE(a_row_of_format_1_is_readable_for_ever) {
  sample::projection_fixture made;
  made.make("anvil", 3);
  {
    auto store = made.open(sample::thing_counts());
    made.catch_up(*store, *made.source);
  }
  auto written = test::golden("persistence/row_v1.hex");
  {
    environment env{made.directory.path() / "projections" / "things",
                    {.map_bytes = std::size_t{1} << 24, .max_tables = 16}};
    lmdb_transaction t{env, lmdb_transaction::access::write};
    auto rows = t.open_table("a.things", 0);
    auto key = encode_key(std::string{"anvil"});
    auto stored = t.find(rows, key.view());
    BOOST_TEST_REQUIRE(stored.has_value());
    BOOST_TEST(test::hex(*stored) == test::hex(written));
    t.put(rows, key.view(), written);
    t.commit();
  }
  made.open(sample::thing_counts())->read([](const read_transaction& t) {
    BOOST_TEST(sample::counts.get(t, "anvil")->made == 1U);
    BOOST_TEST(sample::counts.get(t, "anvil")->last_position == 1U);
  });
}

BOOST_AUTO_TEST_CASE(any_change_of_a_skipped_event_is_noticed) {
  auto value = encode_skipped(skipped());
  auto key = encode_skipped_key(17, 0);
  BOOST_TEST(!decode_skipped(encode_skipped_key(18, 0), value).has_value());
  for (std::size_t at = 0; at < value.size(); ++at) {
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!decode_skipped(key, value).has_value());
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!decode_skipped(key, std::span{value}.first(at)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_long_reason_is_cut) {
  auto event = skipped();
  event.why.assign(100'000, 'x');
  BOOST_TEST(encode_skipped(event).size() < 2 * max_skip_reason_bytes);
}

BOOST_AUTO_TEST_SUITE_END()
