#include "support/golden.hpp"

#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/index_layout.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace {

using namespace microlith;
namespace in = microlith::internal;

in::index_state state() {
  in::index_state made;
  made.filter_layers = 2;
  made.epoch = {0x0101010101010101, 0x0202020202020202};
  made.checkpoint = 0x0303030303030303;
  made.reach = 0x0404040404040404;
  made.next_sequence = 0x0505050505050505;
  made.filter_added = 0x0606060606060606;
  made.runs = {{.level = 0, .slot = 7, .sequence = 8}, {.level = 1, .slot = 9, .sequence = 10}};
  return made;
}

bool is_refused(std::span<const std::byte> written) {
  try {
    (void)in::decode_state(written);
    return false;
  } catch (const in::index_unusable&) {
    return true;
  }
}

/// Its checksum fits again.
bytes sealed(bytes written) {
  in::store_le(written.data(), in::checksum(std::span<const std::byte>{written}.subspan(8), 0));
  return written;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(index_layout)

BOOST_AUTO_TEST_CASE(a_state_of_format_2_is_readable_for_ever) {
  auto written = test::golden("persistence/index_state_v2.hex");
  auto read = in::decode_state(written);
  auto made = state();
  BOOST_TEST(read.filter_layers == made.filter_layers);
  BOOST_TEST((read.epoch == made.epoch));
  BOOST_TEST(read.checkpoint == made.checkpoint);
  BOOST_TEST(read.reach == made.reach);
  BOOST_TEST(read.next_sequence == made.next_sequence);
  BOOST_TEST(read.filter_added == made.filter_added);
  BOOST_TEST(std::ranges::equal(read.runs, made.runs, [](const auto& a, const auto& b) {
    return a.level == b.level && a.slot == b.slot && a.sequence == b.sequence;
  }));
  // What is written today is what the first release wrote.
  BOOST_TEST(test::hex(in::encode_state(made)) == test::hex(written));
}

// An index is built again where it is not believed, so being careful costs time and no event.
BOOST_AUTO_TEST_CASE(any_change_of_a_state_is_noticed) {
  auto written = test::golden("persistence/index_state_v2.hex");
  for (std::size_t i = 0; i < written.size(); ++i) {
    auto changed = written;
    changed[i] ^= std::byte{0x10};
    BOOST_TEST(is_refused(changed), "a change of byte " << i);
  }
  for (std::size_t size = 0; size < written.size(); ++size)
    BOOST_TEST(is_refused(std::span{written}.first(size)), "cut to " << size);
}

BOOST_AUTO_TEST_CASE(what_is_whole_and_cannot_be_is_refused) {
  auto written = test::golden("persistence/index_state_v2.hex");
  auto with = [&](std::size_t at, std::uint32_t value) {
    auto changed = written;
    in::store_le(changed.data() + at, value);
    return sealed(std::move(changed));
  };
  BOOST_TEST(!is_refused(sealed(written)));
  BOOST_TEST(is_refused(with(8, 1)));  // another format
  BOOST_TEST(is_refused(with(8, 3)));
  BOOST_TEST(is_refused(with(64, 1)));  // fewer runs than there are, and more
  BOOST_TEST(is_refused(with(64, 3)));
  BOOST_TEST(is_refused(with(72, in::merged_index::levels)));
  BOOST_TEST(is_refused(with(76, in::merged_index::slots_per_level)));
}

BOOST_AUTO_TEST_SUITE_END()
