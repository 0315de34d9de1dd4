// The index of a journal on disk: lost, foreign, behind, merged meanwhile.

#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace microlith;
using namespace sample;

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_index)

BOOST_AUTO_TEST_CASE(a_tail_that_is_not_merged_yet_is_found_again) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 4, .merge_in_background = false};
  message_id last_id;
  {
    auto j = open_journal(options);
    for (int i = 0; i < 30; ++i) {
      append_ok(*j, to_stream("s" + std::to_string(i % 3), 1));
      if (i == 20)
        BOOST_TEST(j->merge_now().has_value());
    }
    auto last = to_stream("s0", 2);
    last_id = last.id;
    append_ok(*j, last);
  }
  auto j = open_journal(options);
  BOOST_TEST(*j->stream_version("s0") == 12U);
  BOOST_TEST((*j->append_of(last_id) == append_positions{31, 32}));
  BOOST_TEST(
      positions_of(*j, "s1") == (std::vector<std::uint64_t>{2, 5, 8, 11, 14, 17, 20, 23, 26, 29}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_index_that_is_lost_is_built_again) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 8, .merge_in_background = false};
  std::vector<append_request> requests;
  {
    auto j = open_journal(options);
    for (int i = 0; i < 50; ++i) {
      requests.push_back(to_stream("s" + std::to_string(i % 7), 3));
      append_ok(*j, requests.back());
    }
  }
  auto check = [&] {
    auto j = open_journal(options);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto found = j->append_of(requests[i].id);
      BOOST_TEST((*found == append_positions{3 * i + 1, 3 * i + 3}));
    }
    BOOST_TEST(positions_of(*j, "s6").size() == 21U);
    BOOST_TEST(*j->stream_version("s0") == 24U);
  };
  check();
  fs::remove_all(directory.path() / "index");
  check();
  // Cut short, and of something else altogether.
  auto index = directory.path() / "index" / "data.mdb";
  fs::resize_file(index, fs::file_size(index) / 2);
  check();
  overwrite(index, std::string(100'000, 'x'));
  check();
}

BOOST_AUTO_TEST_CASE(an_index_of_another_journal_or_ahead_of_this_one_is_not_believed) {
  test::temporary_directory one;
  test::temporary_directory other;
  auto options = [](const fs::path& path) {
    return journal_options{.directory = path, .merge_threshold = 2, .merge_in_background = false};
  };
  auto early = one.path() / "early";
  {
    auto j = open_journal(options(one.path()));
    append_ok(*j, to_stream("a", 1));
    auto k = open_journal(options(other.path()));
    append_ok(*k, to_stream("a", 9));
    BOOST_TEST(k->merge_now().has_value());
  }
  fs::copy(one.path() / "journal", early, fs::copy_options::recursive);
  {
    auto j = open_journal(options(one.path()));
    append_ok(*j, to_stream("a", 5));
    BOOST_TEST(j->merge_now().has_value());
  }
  // A restored journal is behind its index.
  fs::remove_all(one.path() / "journal");
  fs::copy(early, one.path() / "journal", fs::copy_options::recursive);
  BOOST_TEST(*open_journal(options(one.path()))->stream_version("a") == 1U);
  fs::remove_all(one.path() / "index");
  fs::copy(other.path() / "index", one.path() / "index", fs::copy_options::recursive);
  BOOST_TEST(*open_journal(options(one.path()))->stream_version("a") == 1U);
}

BOOST_AUTO_TEST_CASE(merging_in_the_background_loses_nothing_while_others_read) {
  test::temporary_directory directory;
  auto options =
      journal_options{.directory = directory.path(), .merge_threshold = 16, .sync = false};
  auto j = open_journal(options);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  auto reader = [&] {
    for (std::uint64_t round = 0; !done || round < 10; ++round) {
      auto stream = "s" + std::to_string(round % 10);
      auto before = *j->stream_version(stream);
      std::uint64_t next = 1;
      auto read = j->read_stream(stream, 1, {.events = 1'000'000}, [&](const record_view& r) {
        wrong += r.stream != stream || r.stream_version != next++ ? 1 : 0;
      });
      wrong += !read || read->events < before ? 1 : 0;
    }
  };
  std::thread one{reader};
  std::thread two{reader};
  std::vector<append_request> all;
  for (int i = 0; i < 400; ++i) {
    std::vector<append_request> batch;
    for (int k = 0; k < 5; ++k)
      batch.push_back(to_stream("s" + std::to_string((i * 5 + k) % 10), 1));
    for (const auto& outcome : j->append(batch))
      BOOST_TEST(std::holds_alternative<appended>(outcome));
    all.insert(all.end(), batch.begin(), batch.end());
  }
  done = true;
  one.join();
  two.join();
  BOOST_TEST(wrong == 0);
  for (auto again : {false, true}) {
    if (again) {
      j.reset();
      j = open_journal(options);
    }
    for (std::size_t i = 0; i < all.size(); ++i)
      BOOST_TEST((*j->append_of(all[i].id) == append_positions{i + 1, i + 1}));
    for (int s = 0; s < 10; ++s)
      BOOST_TEST(positions_of(*j, "s" + std::to_string(s)).size() == 200U);
  }
}

BOOST_AUTO_TEST_CASE(an_event_of_another_stream_is_never_served_whatever_the_index_says) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 8, .merge_in_background = false};
  {
    auto j = open_journal(options);
    append_ok(*j, to_stream("a", 1));
    append_ok(*j, to_stream("b", 1));
    BOOST_TEST(j->merge_now().has_value());
  }
  {
    // Each stream's first event is the other's.
    internal::environment index{directory.path() / "index",
                                {.map_bytes = std::size_t{1} << 24, .max_tables = 128}};
    internal::lmdb_transaction t{index, internal::lmdb_transaction::access::write};
    auto run = t.open_table("run.0.0", 0);
    std::vector<std::pair<bytes, bytes>> entries;
    {
      internal::lmdb_cursor cursor{t, run};
      for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT))
        entries.push_back({{cursor.key().begin(), cursor.key().end()},
                           {cursor.value().begin(), cursor.value().end()}});
    }
    BOOST_TEST_REQUIRE(entries.size() == 2U);
    t.put(run, entries[0].first, entries[1].second);
    t.put(run, entries[1].first, entries[0].second);
    t.commit();
  }
  auto j = open_journal(options);
  for (const char* stream : {"a", "b"}) {
    auto read = j->read_stream(stream, 1, {}, [](const record_view&) {});
    BOOST_TEST_REQUIRE(read.has_error());
    BOOST_TEST(read.error().text.find("the index beside the journal") != std::string::npos,
               read.error().text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
