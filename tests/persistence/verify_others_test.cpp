// What lies beside journal, index and rows: planted damage in records of skipped events, inline
// rows, snapshots and durable subscriptions, each of which `verify` must name.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/internal/projection_layout.hpp>
#include <microlith/persistence/internal/skipped_layout.hpp>
#include <microlith/persistence/internal/snapshot_layout.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/snapshot_store.hpp>
#include <microlith/persistence/subscription_store.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <functional>
#include <stdexcept>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

struct name_row {
  std::uint64_t position = 0;
};
BOOST_DESCRIBE_STRUCT(name_row, (), (position))
constexpr table<std::string, name_row> names{"names"};

projection naming(std::string name) {
  projection p{std::move(name), 1};
  p.keeps(names).skips_failures().on<thing_made_event>(
      [](const thing_made_event& e, const event_info& info, write_transaction& t) {
        if (e.name == "bad")
          throw std::runtime_error{"no"};
        names.put(t, e.name, {info.position});
      });
  return p;
}

projection inlined() {
  auto p = naming("beside");
  p.is_inline();
  return p;
}

/// Of an event that no journal has.
skipped_event skipped_at(std::uint64_t position) {
  skipped_event event;
  event.position = position;
  event.id = message_id::make();
  return event;
}

constexpr std::uint64_t bad_at = 4;
constexpr std::uint64_t last = 10;
constexpr std::uint64_t fingerprint = 7;

/// Ten events, the fourth of which is skipped; rows, inline rows, two snapshots, and a subscription
/// that has come to event 8 and holds back two.
struct fixture {
  test::temporary_directory directory;
  message_id epoch;
  message_id seventh;
  message_id eighth;

  fixture() {
    auto j = open_journal({.directory = directory.path(),
                           .inline_projections = {projection_group{inlined()}},
                           .merge_in_background = false});
    for (std::uint64_t i = 1; i <= last; ++i) {
      append_request request;
      request.events.push_back({made(i == bad_at ? "bad" : std::to_string(i)), "thing"});
      append_ok(*j, std::move(request));
    }
    epoch = j->epoch();
    seventh = id_at(*j, 7);
    eighth = id_at(*j, 8);
    auto rows = projection_store::open(naming("sample.names"), {.directory = directory.path()}, *j);
    BOOST_REQUIRE((rows.has_value() && (*rows)->catch_up(*j).has_value()));
    BOOST_REQUIRE((*rows)->skipped_count() == 1U);
    put(snapshot_of("thing", 7, seventh));
    auto subscription = subscription_store::open("mails", {.directory = directory.path()}, *j);
    BOOST_REQUIRE(subscription.has_value());
    std::vector<std::uint64_t> held{3, 5};
    BOOST_REQUIRE((*subscription)->hold({.key = "ann", .parked = true}, held).has_value());
    BOOST_REQUIRE((*subscription)->save_checkpoint(8, eighth).has_value());
  }

  static message_id id_at(const journal& j, std::uint64_t position) {
    message_id id;
    BOOST_REQUIRE(j.read(position, {.events = 1}, [&](const record_view& r) {
                     id = r.id;
                     return false;
                   }).has_value());
    return id;
  }

  static snapshot snapshot_of(std::string stream, std::uint64_t version, message_id event) {
    return {.stream = std::move(stream),
            .version = version,
            .event = event,
            .fingerprint = fingerprint,
            .state = bytes(20)};
  }
  void put(const snapshot& one) const {
    auto store = snapshot_store::open({.directory = directory.path()}, epoch);
    BOOST_REQUIRE((store.has_value() && (*store)->put(std::span{&one, 1}).has_value()));
  }

  /// Changes a table behind the back of its owner.
  void plant(const fs::path& folder, const char* table,
             const std::function<void(internal::lmdb_transaction&, MDB_dbi)>& change) const {
    internal::environment env{directory.path() / folder,
                              {.map_bytes = std::size_t{16} << 20, .max_tables = 8}};
    internal::lmdb_transaction t{env, internal::lmdb_transaction::access::write};
    change(t, t.open_table(table, 0));
    t.commit();
  }
  /// Changes the last byte of the first value of a table.
  void spoil(const fs::path& folder, const char* table) const {
    plant(folder, table, [](internal::lmdb_transaction& t, MDB_dbi in) {
      bytes key;
      bytes value;
      {
        internal::lmdb_cursor cursor{t, in};
        BOOST_REQUIRE(cursor.move(MDB_FIRST));
        key.assign(cursor.key().begin(), cursor.key().end());
        value.assign(cursor.value().begin(), cursor.value().end());
      }
      value.back() ^= std::byte{1};
      t.put(in, key, value);
    });
  }

  [[nodiscard]] verify_report report() const {
    auto done = verify(directory.path());
    if (!done)
      BOOST_FAIL(done.error().text);
    return *done;
  }
  /// One finding, of this part and with these words.
  void expect(bool is_damage, std::string_view part, std::string_view words,
              std::uint64_t position = 0) const {
    auto found = report().findings;
    std::erase_if(found, [](const finding& f) { return f.part == "index"; });
    BOOST_TEST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].is_damage == is_damage);
    BOOST_TEST(found[0].part == part);
    BOOST_TEST(found[0].position == position);
    BOOST_TEST(found[0].text.find(words) != std::string::npos, found[0].text);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(verify_others, fixture)

BOOST_AUTO_TEST_CASE(what_is_whole_is_fine_and_counted) {
  auto all = report();
  BOOST_TEST(!all.is_damaged());
  BOOST_TEST(all.projections == 1U);
  BOOST_TEST(all.skipped == 1U);
  BOOST_TEST(all.snapshots == 1U);
  BOOST_TEST(all.subscriptions == 1U);
  BOOST_TEST(all.held_events == 2U);
}

BOOST_AUTO_TEST_CASE(a_record_of_a_skipped_event_that_was_changed_is_damage) {
  spoil("projections/sample.names", "skipped.a");
  expect(true, "projection sample.names", "skipped event is not what was written");
}

BOOST_AUTO_TEST_CASE(an_event_that_was_not_reached_cannot_have_been_skipped) {
  plant("projections/sample.names", "skipped.a", [](internal::lmdb_transaction& t, MDB_dbi in) {
    t.put(in, internal::encode_skipped_key(last + 5, 0),
          internal::encode_skipped(skipped_at(last + 5)));
  });
  expect(true, "projection sample.names", "that event 15 was skipped");
}

BOOST_AUTO_TEST_CASE(a_skipped_event_that_the_journal_does_not_have_is_damage) {
  plant("projections/sample.names", "skipped.a", [](internal::lmdb_transaction& t, MDB_dbi in) {
    t.put(in, internal::encode_skipped_key(6, 0), internal::encode_skipped(skipped_at(6)));
  });
  expect(true, "projection sample.names", "and the journal's event there is");
}

BOOST_AUTO_TEST_CASE(inline_rows_and_what_they_skipped_are_looked_at) {
  for (const char* table : {"inline", "inline.beside/skipped", "inline.beside.names"}) {
    fixture fresh;
    fresh.spoil("journal", table);
    auto all = fresh.report();
    BOOST_TEST(all.is_damaged(), table);
    bool told = false;
    for (const auto& f : all.findings)
      told = told || f.text.find("inline projection beside") != std::string::npos ||
             f.text.find("skipped event is not") != std::string::npos ||
             f.text.find("a row of table beside.names") != std::string::npos;
    BOOST_TEST(told, table);
  }
}

BOOST_AUTO_TEST_CASE(inline_rows_ahead_of_their_journal_are_damage) {
  plant("journal", "inline", [](internal::lmdb_transaction& t, MDB_dbi in) {
    auto state = internal::decode_projection_state(t.find(in, "beside").value()).value();
    state.checkpoint = last + 2;
    t.put(in, "beside", internal::encode_projection_state(state));
  });
  bool told = false;
  for (const auto& f : report().findings)
    told = told ||
           f.text.find("has seen event 12, and the journal ends at event 10") != std::string::npos;
  BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(a_snapshot_that_was_changed_is_damage) {
  spoil("snapshots", "snapshots");
  expect(true, "snapshots", "a snapshot is not what was written");
}

BOOST_AUTO_TEST_CASE(a_snapshot_under_the_key_of_another_stream_is_damage) {
  plant("snapshots", "snapshots", [&](internal::lmdb_transaction& t, MDB_dbi in) {
    t.put(in, internal::encode_snapshot_key("another"),
          internal::encode_snapshot(snapshot_of("thing", 7, seventh)));
  });
  expect(true, "snapshots", "a snapshot is not what was written");
}

BOOST_AUTO_TEST_CASE(a_snapshot_of_an_event_that_the_journal_does_not_have_is_damage) {
  put(snapshot_of("thing", last + 1, message_id::make()));
  expect(true, "snapshots", "1 of 1 are of events that the journal does not have");
  put(snapshot_of("thing", 7, message_id::make()));
  expect(true, "snapshots", "1 of 1 are of events that the journal does not have");
  put(snapshot_of("thing", 7, seventh));
  put(snapshot_of("unheard of", 1, message_id::make()));
  expect(true, "snapshots", "1 of 2 are of events that the journal does not have");
}

BOOST_AUTO_TEST_CASE(snapshots_of_another_journal_are_a_note) {
  fs::remove_all(directory.path() / "snapshots");
  epoch = message_id::make();
  put(snapshot_of("thing", 70, seventh));
  expect(false, "snapshots", "of another journal");
}

BOOST_AUTO_TEST_CASE(a_subscription_that_was_changed_is_damage) {
  for (auto [table, words] : {std::pair{"state", "its state does not fit"},
                              {"keys", "a held key is not what was written"},
                              {"events", "a held event is not what was written"}}) {
    fixture fresh;
    fresh.spoil("subscriptions/mails", table);
    fresh.expect(true, "subscription mails", words);
  }
}

BOOST_AUTO_TEST_CASE(held_events_and_their_keys_belong_together) {
  auto without = [](const char* table, std::string_view words) {
    fixture fresh;
    fresh.plant("subscriptions/mails", table, [](internal::lmdb_transaction& t, MDB_dbi in) {
      internal::lmdb_cursor cursor{t, in};
      BOOST_REQUIRE(cursor.move(MDB_FIRST));
      auto key = internal::to_val(cursor.key());
      internal::check(mdb_del(t.get(), in, &key, nullptr), "erase");
    });
    fresh.expect(true, "subscription mails", words);
  };
  without("keys", "held under a key that is not there");
  without("events", "key ann says that it holds 2 events, and holds 1");
  without("state", "it holds something and has no state");
}

BOOST_AUTO_TEST_CASE(a_held_key_under_the_hash_of_another_is_damage) {
  plant("subscriptions/mails", "keys", [](internal::lmdb_transaction& t, MDB_dbi in) {
    bytes id;
    {
      internal::lmdb_cursor cursor{t, in};
      BOOST_REQUIRE(cursor.move(MDB_FIRST));
      id.assign(cursor.key().begin(), cursor.key().end());
    }
    t.put(in, id, internal::encode_held_key({.key = "eve", .parked = true, .events = 2}));
  });
  expect(true, "subscription mails", "a held key is not what was written");
}

BOOST_AUTO_TEST_CASE(a_subscription_ahead_of_the_journal_is_damage) {
  auto store = subscription_store::open(
      "mails", {.directory = directory.path()},
      *open_journal({.directory = directory.path(), .merge_in_background = false}));
  BOOST_REQUIRE((*store)->save_checkpoint(last + 3, message_id::make()).has_value());
  expect(true, "subscription mails", "it has come to event 13, and the journal ends at event 10");
}

BOOST_AUTO_TEST_CASE(a_subscription_that_came_to_another_event_is_damage_there) {
  auto store = subscription_store::open(
      "mails", {.directory = directory.path()},
      *open_journal({.directory = directory.path(), .merge_in_background = false}));
  BOOST_REQUIRE((*store)->save_checkpoint(8, seventh).has_value());
  expect(true, "subscription mails", "and the journal's event there is " + to_string(eighth), 8);
}

BOOST_AUTO_TEST_CASE(held_events_that_are_not_in_the_journal_are_damage) {
  auto store = subscription_store::open(
      "mails", {.directory = directory.path()},
      *open_journal({.directory = directory.path(), .merge_in_background = false}));
  std::vector<std::uint64_t> nowhere{last + 1, last + 2};
  BOOST_REQUIRE((*store)->hold({.key = "bob", .parked = true}, nowhere).has_value());
  expect(true, "subscription mails",
         "holds back 2 events that the journal does not have, the first at position 11");
}

BOOST_AUTO_TEST_CASE(a_subscription_of_another_journal_is_a_note) {
  plant("subscriptions/mails", "state", [](internal::lmdb_transaction& t, MDB_dbi in) {
    auto state = internal::decode_subscription_state(t.find(in, "state").value()).value();
    state.epoch = message_id::make();
    state.checkpoint = 1000;
    t.put(in, "state", internal::encode_subscription_state(state));
  });
  expect(false, "subscription mails", "follows another journal");
}

BOOST_AUTO_TEST_SUITE_END()
