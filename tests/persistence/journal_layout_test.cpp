// What a journal writes of itself beside its records.

#include "persistence/samples.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/type_registry.hpp>
#include <microlith/persistence/internal/witness.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>

namespace {

using namespace microlith;
using namespace sample;
namespace in = microlith::internal;

const message_id epoch{0x0101010101010101, 0x0202020202020202};

in::journal_meta meta() {
  in::journal_meta made{.format = 1, .epoch = epoch, .secret = {}};
  for (std::size_t i = 0; i < made.secret.size(); ++i)
    made.secret[i] = static_cast<std::byte>(i + 1);
  return made;
}

stored_type type() {
  const auto& schema = schema_of<thing_made_event>();
  return {.id = 7,
          .name = "sample.thing_made_event",
          .version = 1,
          .fingerprint = schema.fingerprint,
          .schema = schema};
}

bytes content_of(const std::filesystem::path& file) {
  std::ifstream from{file, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{from}, {}};
  auto raw = std::as_bytes(std::span{text.data(), text.size()});
  return {raw.begin(), raw.end()};
}

/// What is written today is what the first release wrote.
void is_as_ever(std::span<const std::byte> today, const std::string& name) {
  BOOST_TEST(test::hex(today) == test::hex(test::golden("persistence/" + name)), name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_layout)

BOOST_AUTO_TEST_CASE(what_format_1_says_of_itself_is_readable_for_ever) {
  auto described = in::decode_meta(test::golden("persistence/journal_meta_v1.hex"));
  BOOST_TEST_REQUIRE(described.has_value());
  BOOST_TEST((described->format == 1 && described->epoch == epoch));
  BOOST_TEST((described->secret == meta().secret));
  is_as_ever(in::encode_meta(meta()), "journal_meta_v1.hex");

  auto state = in::decode_journal_state(test::golden("persistence/journal_state_v1.hex"));
  BOOST_TEST_REQUIRE(state.has_value());
  BOOST_TEST(state->last_position == 0x0303030303030303U);
  BOOST_TEST(state->running_hash == 0x0404040404040404U);
  is_as_ever(in::encode_journal_state({0x0303030303030303, 0x0404040404040404}),
             "journal_state_v1.hex");
}

BOOST_AUTO_TEST_CASE(a_type_of_format_1_is_readable_for_ever) {
  auto stored = in::decode_type(7, test::golden("persistence/type_v1.hex"));
  BOOST_TEST_REQUIRE(stored.has_value());
  BOOST_TEST(stored->name == "sample.thing_made_event");
  BOOST_TEST(stored->fingerprint == type().fingerprint);
  BOOST_TEST(difference(stored->schema, type().schema) == "");
  is_as_ever(in::encode_type(type()), "type_v1.hex");
  // Its number is covered, too.
  BOOST_TEST(!in::decode_type(8, test::golden("persistence/type_v1.hex")).has_value());
}

BOOST_AUTO_TEST_CASE(a_witness_of_format_1_is_readable_for_ever) {
  test::temporary_directory directory;
  auto file = directory.path() / "witness";
  {
    auto written = test::golden("persistence/witness_v1.hex");
    std::ofstream{file, std::ios::binary}.write(reinterpret_cast<const char*>(written.data()),
                                                static_cast<std::streamsize>(written.size()));
  }
  auto seen = in::read_witness(file);
  BOOST_TEST_REQUIRE(seen.has_value());
  BOOST_TEST((seen->epoch == epoch && seen->position == 5 && seen->running_hash == 6 &&
              seen->transaction == 7 && seen->meta_hash == 8));
  std::filesystem::remove(file);
  in::witness{file}.write(
      {.epoch = epoch, .position = 5, .running_hash = 6, .transaction = 7, .meta_hash = 8});
  is_as_ever(content_of(file), "witness_v1.hex");
}

BOOST_AUTO_TEST_SUITE_END()
