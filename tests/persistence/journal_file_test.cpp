#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/journal_file.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace {

using namespace microlith;
using namespace sample;
using internal::journal_file;

std::chrono::steady_clock::time_point now_by_hand{};

void append_to(journal_file& file) {
  auto message = made("a");
  auto type = file.types().intern(message.type());
  BOOST_REQUIRE(type);
  auto position = file.last_position() + 1;
  bytes record;
  auto checksum = internal::encode_record(
      record, {.position = position, .stream = {}, .append = {}, .type = *type}, message, {});
  journal_file::writing writing{file};
  writing.add(record, checksum);
  BOOST_TEST(writing.commit() == position);
  file.publish(position);
}

/// Whether a record is in the view; looks often enough for its age to be looked at.
bool sees(journal_file::reading& view, std::uint64_t position) {
  internal::parsed_record record;
  for (std::uint32_t i = 0; i < journal_file::loads_between_looks; ++i)
    BOOST_REQUIRE(!view.load(1, record));
  return !view.load(position, record);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_file)

BOOST_AUTO_TEST_CASE(a_view_of_the_records_is_renewed_after_100_ms) {
  using namespace std::chrono_literals;
  test::temporary_directory directory;
  auto opened =
      internal::journal_file::open(directory.path(), internal::sensible_map_size({}), false);
  BOOST_REQUIRE(opened);
  auto& file = **opened;
  append_to(file);
  internal::journal_file::reading view{file, [] { return now_by_hand; }};
  append_to(file);
  BOOST_TEST(!sees(view, 2));
  now_by_hand += 99ms;
  BOOST_TEST(!sees(view, 2));
  now_by_hand += 1ms;
  BOOST_TEST(sees(view, 2));
  // And again after as long.
  append_to(file);
  now_by_hand += 99ms;
  BOOST_TEST(!sees(view, 3));
  now_by_hand += 1ms;
  BOOST_TEST(sees(view, 3));
}

BOOST_AUTO_TEST_SUITE_END()
