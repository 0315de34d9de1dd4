// Finding events through the index, read beside its node: the answers are those of a scan, whatever
// state the index is in, and what is merged is not looked through.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/index_layout.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/journal_reader.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

using positions = std::vector<std::uint64_t>;
constexpr std::uint64_t appends = 1500;
constexpr std::uint64_t events = 2 * appends;
constexpr std::uint64_t unmerged = 2 * 40;

/// Two events an append, of seven streams in turn and of eleven conversations; all but the last 40
/// appends are in the index, which has several runs.
struct fixture {
  test::temporary_directory directory;
  fs::path data = directory.path() / "d";
  std::vector<correlation_id> conversations;

  fixture() { fill(data); }

  void fill(const fs::path& at) {
    auto j = open_journal(
        {.directory = at, .merge_threshold = 400, .merge_in_background = false, .sync = false});
    for (int i = 0; i < 11; ++i)
      conversations.push_back(correlation_id::make());
    for (std::uint64_t i = 0; i < appends; ++i) {
      append_request request;
      request.id = message_id::make();
      auto stream = "thing/" + std::to_string(i % 7);
      for (std::uint32_t part = 0; part < 2; ++part)
        request.events.push_back(
            {message_of(thing_made_event{stream, part}, conversations[i % 11]), stream});
      append_ok(*j, std::move(request));
      if (i + 1 == appends - unmerged / 2)
        BOOST_REQUIRE(j->merge_now().has_value());
    }
  }

  [[nodiscard]] std::unique_ptr<journal_reader> reader() const {
    auto opened = microlith::journal_reader::open(data);
    BOOST_REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  template <class Takes>
  positions scanned(Takes takes) const {
    positions found;
    BOOST_REQUIRE(reader()
                      ->read(1, {.events = events, .bytes = ~std::uint64_t{0}},
                             [&](const record_view& r) {
                               if (takes(r))
                                 found.push_back(r.position);
                             })
                      .has_value());
    return found;
  }
  static positions of_stream(journal_reader& from, std::string_view stream,
                             std::uint64_t first = 1) {
    positions found;
    BOOST_TEST(
        from.read_stream(stream, first, [&](const record_view& r) { found.push_back(r.position); })
            .has_value());
    return found;
  }
  static positions of_conversation(journal_reader& from, correlation_id correlation,
                                   std::uint64_t first = 1) {
    positions found;
    BOOST_TEST(from.read_conversation(correlation, first,
                                      [&](const record_view& r) { found.push_back(r.position); })
                   .has_value());
    return found;
  }

  /// Whatever the index is like. How many events were read for all of that.
  std::uint64_t check_answers() const {
    auto through = reader();
    auto in_stream = [](const record_view& r) { return r.stream == "thing/3"; };
    auto in_conversation = [&](const record_view& r) { return r.correlation == conversations[4]; };
    auto expected = scanned(in_stream);
    BOOST_TEST((of_stream(*through, "thing/3") == expected));
    std::erase_if(expected, [](std::uint64_t p) { return p < 1000; });
    BOOST_TEST((of_stream(*through, "thing/3", 1000) == expected));
    expected = scanned(in_conversation);
    BOOST_TEST((of_conversation(*through, conversations[4]) == expected));
    std::erase_if(expected, [](std::uint64_t p) { return p < 1000; });
    BOOST_TEST((of_conversation(*through, conversations[4], 1000) == expected));
    BOOST_TEST(of_stream(*through, "thing/none").empty());
    BOOST_TEST(of_conversation(*through, correlation_id::make()).empty());
    for (std::uint64_t position : {std::uint64_t{2}, std::uint64_t{1500}, events}) {
      message_id id;
      message_id append;
      BOOST_REQUIRE(through
                        ->read(position, {.events = 1},
                               [&](const record_view& r) {
                                 id = r.id;
                                 append = r.append;
                               })
                        .has_value());
      BOOST_TEST(through->position_of(id).value() == position);
      BOOST_TEST(through->first_of_append(append).value() == position - 1);
    }
    BOOST_TEST(through->position_of(message_id::make()).value() == 0U);
    BOOST_TEST(through->first_of_append(message_id::make()).value() == 0U);
    return through->events_read();
  }

  void change_index(const std::function<void(internal::lmdb_transaction&)>& change) const {
    internal::environment env{data / "index",
                              {.map_bytes = std::size_t{64} << 20, .max_tables = 100}};
    internal::lmdb_transaction t{env, internal::lmdb_transaction::access::write};
    change(t);
    t.commit();
  }
};

// Of eleven questions each looks through what is not merged; four of them read what they find.
constexpr std::uint64_t most_events_read = 11 * unmerged + 2 * (events / 7 + events / 11) + 20;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(journal_reader, fixture)

BOOST_AUTO_TEST_CASE(what_is_merged_is_found_without_looking_through_it) {
  auto read = check_answers();
  BOOST_TEST(read < most_events_read + 2 * unmerged);
  // The scan of one question alone would be that many.
  auto one = reader();
  (void)of_conversation(*one, correlation_id::make());
  BOOST_TEST(one->events_read() == unmerged);
}

BOOST_AUTO_TEST_CASE(a_visitor_that_has_enough_ends_the_read) {
  auto through = reader();
  std::size_t seen = 0;
  BOOST_TEST(through->read_stream("thing/3", 1, [&](const record_view&) { return ++seen < 3; })
                 .has_value());
  BOOST_TEST(seen == 3U);
  BOOST_TEST(through->events_read() == 3U);
}

BOOST_AUTO_TEST_CASE(without_an_index_everything_is_looked_through) {
  fs::remove_all(data / "index");
  BOOST_TEST(check_answers() > events);
}

BOOST_AUTO_TEST_CASE(an_index_of_another_journal_is_not_believed) {
  fixture other;
  fs::remove_all(data / "index");
  fs::copy(other.data / "index", data / "index");
  BOOST_TEST(check_answers() > events);
}

BOOST_AUTO_TEST_CASE(an_index_that_was_cut_or_is_no_index_is_not_believed) {
  fs::resize_file(data / "index" / "data.mdb", 3 * 4096 + 100);
  BOOST_TEST(check_answers() > events);
  fs::resize_file(data / "index" / "data.mdb", 0);
  BOOST_TEST(check_answers() > events);
}

BOOST_AUTO_TEST_CASE(an_index_that_is_wrong_is_noticed_by_the_records) {
  change_index([](internal::lmdb_transaction& t) {
    // Every position is one too many.
    for (const char* name : {"ids", "appends", "run.0.0", "run.0.1", "run.1.0"}) {
      MDB_dbi table = 0;
      if (mdb_dbi_open(t.get(), name, 0, &table) != 0)
        continue;
      std::vector<std::pair<bytes, bytes>> all;
      {
        internal::lmdb_cursor cursor{t, table};
        for (bool more = cursor.move(MDB_FIRST); more; more = cursor.move(MDB_NEXT)) {
          all.emplace_back(bytes(cursor.key().begin(), cursor.key().end()),
                           bytes(cursor.value().begin(), cursor.value().end()));
          auto* value = all.back().second.data();
          internal::store_le(value, internal::load_le<std::uint64_t>(value) + 1);
        }
      }
      for (const auto& [key, value] : all)
        t.put(table, key, value);
    }
  });
  BOOST_TEST(check_answers() > events);
}

BOOST_AUTO_TEST_CASE(what_a_merge_that_has_not_ended_wrote_is_not_counted_twice) {
  change_index([&](internal::lmdb_transaction& t) {
    // The last of the conversation: others of it that are not merged come before.
    auto at =
        scanned([&](const record_view& r) { return r.correlation == conversations[4]; }).back();
    BOOST_REQUIRE(at > events - unmerged);
    std::array<std::byte, internal::correlation_key_bytes> key;
    internal::store_id_be(key.data(), conversations[4]);
    internal::store_be(key.data() + 16, at);
    t.put(t.open_table("correlations", 0), key, std::span<const std::byte>{});
  });
  (void)check_answers();
}

BOOST_AUTO_TEST_CASE(beside_a_journal_that_merges_the_answers_stay_right) {
  auto j = open_journal(
      {.directory = data, .merge_threshold = 200, .merge_in_background = false, .sync = false});
  auto through = reader();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i)
      append_ok(*j, to_stream("busy"));
    if (round % 3 == 0)
      BOOST_TEST(j->merge_now().has_value());
    // Also with an index that is newer than the look at the journal.
    auto before = through->last_position();
    auto found = of_stream(*through, "busy");
    BOOST_TEST(found.size() == before - events);
    BOOST_TEST(through->refresh().has_value());
    found = of_stream(*through, "busy");
    BOOST_TEST(found.size() == through->last_position() - events);
    BOOST_TEST((found.empty() || found.back() == through->last_position()));
  }
}

BOOST_AUTO_TEST_SUITE_END()
