#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

using namespace microlith;
using namespace sample;

namespace {

/// The state that the index has; changed by `change` if that says so.
template <class F>
internal::index_state with_state(const std::filesystem::path& data, F change) {
  internal::environment env{data / "index",
                            {.map_bytes = std::size_t{64} << 20, .max_tables = 128}};
  internal::lmdb_transaction t{env, internal::lmdb_transaction::access::write};
  auto table = t.open_table("state", 0);
  auto state = internal::decode_state(t.find(table, internal::index_state_key).value());
  if (change(state)) {
    t.put(table, internal::index_state_key, internal::encode_state(state));
    t.commit();
  }
  return state;
}

/// A journal whose last merge has written everything but its end.
void half_merged(const journal_options& options, std::vector<message_id>& ids) {
  auto j = open_journal(options);
  for (int i = 0; i < 20; ++i)
    append_ok(*j, to_stream("a" + std::to_string(i % 3)));
  BOOST_REQUIRE(j->merge_now());
  j.reset();
  auto before = with_state(options.directory, [](auto&) { return false; });
  j = open_journal(options);
  for (int i = 0; i < 20; ++i)
    append_ok(*j, to_stream(std::string(i < 10 ? "a" : "b") + std::to_string(i % 3), 2));
  BOOST_REQUIRE(j->merge_now());
  BOOST_REQUIRE(j->read(1, {}, [&](const record_view& r) { ids.push_back(r.id); }));
  j.reset();
  auto state = with_state(options.directory, [&](internal::index_state& state) {
    state.checkpoint = before.checkpoint;
    state.runs = before.runs;
    return true;
  });
  BOOST_TEST(state.reach == 60U);
  BOOST_TEST(state.checkpoint == 20U);
}

bool index_is_damaged(const std::filesystem::path& data) {
  auto report = verify(data);
  BOOST_REQUIRE(report);
  return report->is_damaged();
}

void everything_is_found(const journal_options& options, const std::vector<message_id>& ids) {
  auto j = open_journal(options);
  for (std::size_t i = 0; i < ids.size(); ++i)
    BOOST_TEST(j->position_of(ids[i])->value() == i + 1);
  BOOST_TEST(positions_of(*j, "a0").size() == 15U);
  BOOST_TEST(positions_of(*j, "b0").size() == 6U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(index_check)

BOOST_AUTO_TEST_CASE(an_index_whose_merge_did_not_end_is_fine) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .merge_in_background = false};
  std::vector<message_id> ids;
  half_merged(options, ids);
  BOOST_TEST(!index_is_damaged(directory.path()));
  everything_is_found(options, ids);
  // And the merge is done again.
  BOOST_TEST(open_journal(options)->merge_now().has_value());
  BOOST_TEST(!index_is_damaged(directory.path()));
  everything_is_found(options, ids);
}

BOOST_AUTO_TEST_CASE(an_index_that_reaches_past_its_journal_is_damaged_and_built_again) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .merge_in_background = false};
  std::vector<message_id> ids;
  half_merged(options, ids);
  (void)with_state(directory.path(), [](internal::index_state& state) { return ++state.reach; });
  BOOST_TEST(index_is_damaged(directory.path()));
  everything_is_found(options, ids);
  BOOST_TEST(!index_is_damaged(directory.path()));
}

BOOST_AUTO_TEST_SUITE_END()
