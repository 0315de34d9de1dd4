#include "persistence/projection_fixture.hpp"
#include "persistence/samples.hpp"
#include "persistence/thing_counts.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/table.hpp>

#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <thread>

namespace {

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

struct other_row {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(other_row, (), (text))

/// No projection here has an apply function for it.
struct thing_lost_event {
  using message = microlith::event<"sample.thing_lost_event">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(thing_lost_event, (), (name))

std::unique_ptr<projection_store> open_store(const fs::path& directory, const journal& source,
                                             projection p = thing_counts()) {
  return projection_fixture::open_in(directory, source, std::move(p));
}

std::map<std::string, std::uint64_t> rows_of(const projection_store& store) {
  return store.read([](const read_transaction& t) {
    std::map<std::string, std::uint64_t> rows;
    counts.for_each(
        t, [&](const std::string& name, const thing_count& row) { rows[name] = row.made; });
    return rows;
  });
}

void break_it(journal& j, std::string name) {
  append_request request;
  request.events.push_back({message_of(thing_broken_event{std::move(name)}), ""});
  append_ok(j, request);
}

using rows = std::map<std::string, std::uint64_t>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(projection_store, projection_fixture)

BOOST_AUTO_TEST_CASE(rows_follow_the_events) {
  auto store = open_store(directory.path(), *source);
  BOOST_TEST(store->checkpoint() == 0U);
  make(*source, "anvil");
  make(*source, "anvil");
  make(*source, "hammer");
  auto progress = store->catch_up(*source, 2);
  BOOST_TEST(progress->checkpoint == 2U);
  BOOST_TEST(progress->applied == 2U);
  BOOST_TEST(progress->more);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 2}}));
  progress = store->catch_up(*source);
  BOOST_TEST(!progress->more);
  BOOST_TEST(store->checkpoint() == 3U);
  break_it(*source, "anvil");
  catch_up(*store, *source);
  BOOST_TEST((rows_of(*store) == rows{{"hammer", 1}}));
}

BOOST_AUTO_TEST_CASE(rows_and_checkpoint_survive_together) {
  make(*source, "anvil");
  {
    auto store = open_store(directory.path(), *source);
    catch_up(*store, *source);
  }
  make(*source, "anvil");
  auto store = open_store(directory.path(), *source);
  BOOST_TEST(store->checkpoint() == 1U);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
  catch_up(*store, *source);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 2}}));
}

BOOST_AUTO_TEST_CASE(an_event_that_cannot_be_applied_stops_it_there_and_says_why) {
  auto store = open_store(directory.path(), *source);
  make(*source, "anvil");
  break_it(*source, "unbreakable");
  make(*source, "hammer");
  // What comes before the event is kept, nothing of it or after it.
  auto progress = store->catch_up(*source);
  BOOST_TEST(progress->checkpoint == 1U);
  BOOST_TEST(progress->more);
  progress = store->catch_up(*source);
  BOOST_TEST_REQUIRE(progress.has_error());
  BOOST_TEST((progress.error().kind == storage_error_kind::stopped));
  BOOST_TEST(progress.error().position == 2U);
  BOOST_TEST(progress.error().text.find("it cannot break") != std::string::npos);
  BOOST_TEST((store->stopped() == progress.error()));
  BOOST_TEST(store->catch_up(*source).has_error());
  BOOST_TEST(store->checkpoint() == 1U);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
}

BOOST_AUTO_TEST_CASE(a_new_version_or_other_rows_are_derived_again) {
  make(*source, "anvil");
  catch_up(*open_store(directory.path(), *source), *source);
  BOOST_TEST(open_store(directory.path(), *source)->checkpoint() == 1U);
  {
    auto store = open_store(directory.path(), *source, thing_counts(2));
    BOOST_TEST(store->checkpoint() == 0U);
    BOOST_TEST(rows_of(*store).empty());
    catch_up(*store, *source);
    BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
  }
  constexpr table<std::string, other_row> others{"things"};
  projection changed{"things", 2};
  changed.keeps(others);
  BOOST_TEST(open_store(directory.path(), *source, changed)->checkpoint() == 0U);
}

BOOST_AUTO_TEST_CASE(rows_of_another_journal_or_ahead_of_it_are_derived_again) {
  for (int i = 0; i < 3; ++i)
    make(*source, "anvil");
  catch_up(*open_store(directory.path(), *source), *source);
  auto other = make_memory_journal();
  for (int i = 0; i < 5; ++i)
    make(*other, "hammer");
  auto store = open_store(directory.path(), *other);
  BOOST_TEST(store->checkpoint() == 0U);
  catch_up(*store, *other);
  BOOST_TEST((rows_of(*store) == rows{{"hammer", 5}}));
}

BOOST_AUTO_TEST_CASE(damaged_or_deleted_rows_are_derived_again) {
  make(*source, "anvil");
  auto file = directory.path() / "projections" / "things" / "data.mdb";
  catch_up(*open_store(directory.path(), *source), *source);
  fs::resize_file(file, 4096 * 3);
  auto store = open_store(directory.path(), *source);
  catch_up(*store, *source);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
  store.reset();
  fs::remove_all(directory.path() / "projections");
  store = open_store(directory.path(), *source);
  catch_up(*store, *source);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
}

BOOST_AUTO_TEST_CASE(a_changed_row_is_never_served) {
  make(*source, "anvil");
  auto file = directory.path() / "projections" / "things" / "data.mdb";
  projection p{"things", 1};
  constexpr table<std::string, other_row> texts{"texts"};
  p.keeps(texts);
  p.on<thing_made_event>([&](const thing_made_event& e, write_transaction& t) {
    texts.put(t, e.name, {"the text that changes"});
  });
  catch_up(*open_store(directory.path(), *source, p), *source);
  std::string content;
  {
    std::ifstream in{file, std::ios::binary};
    content.assign(std::istreambuf_iterator<char>{in}, {});
  }
  auto at = content.find("the text that changes");
  BOOST_TEST_REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = content.find("the text that changes", at + 1))
    content[at] = 'T';
  std::ofstream{file, std::ios::binary} << content;
  auto store = open_store(directory.path(), *source, p);
  BOOST_CHECK_THROW(
      store->read([&](const read_transaction& t) { return texts.get(t, "anvil").has_value(); }),
      storage_exception);
}

BOOST_AUTO_TEST_CASE(a_rebuild_shows_the_old_rows_until_it_is_done) {
  auto store = open_store(directory.path(), *source);
  for (int i = 0; i < 10; ++i)
    make(*source, "anvil");
  catch_up(*store, *source);
  for (int i = 0; i < 10; ++i)
    make(*source, "hammer");
  store->read([&](const read_transaction& before) {
    BOOST_TEST(store->rebuild(*source).has_value());
    BOOST_TEST(counts.get(before, "anvil")->made == 10U);
    BOOST_TEST(!counts.contains(before, "hammer"));
  });
  BOOST_TEST(store->checkpoint() == 20U);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 10}, {"hammer", 10}}));
  make(*source, "anvil");
  catch_up(*store, *source);
  store.reset();
  store = open_store(directory.path(), *source);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 11}, {"hammer", 10}}));
}

BOOST_AUTO_TEST_CASE(a_rebuild_that_fails_leaves_the_rows_as_they_were) {
  auto store = open_store(directory.path(), *source);
  make(*source, "anvil");
  catch_up(*store, *source);
  break_it(*source, "unbreakable");
  auto rebuilt = store->rebuild(*source);
  BOOST_TEST_REQUIRE(rebuilt.has_error());
  BOOST_TEST(rebuilt.error().position == 2U);
  BOOST_TEST((rows_of(*store) == rows{{"anvil", 1}}));
  BOOST_TEST(store->checkpoint() == 1U);
}

BOOST_AUTO_TEST_CASE(readers_see_whole_pages_while_rows_are_written) {
  auto store = open_store(directory.path(), *source);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread reader{[&] {
    while (!done) {
      store->read([&](const read_transaction& t) {
        auto a = counts.get(t, "a");
        auto b = counts.get(t, "b");
        wrong += a.has_value() != b.has_value() || (a && a->made != b->made) ? 1 : 0;
      });
    }
  }};
  for (int i = 0; i < 200; ++i) {
    append_request both;
    both.events = {{made("a"), ""}, {made("b"), ""}};
    append_ok(*source, both);
    catch_up(*store, *source);
  }
  done = true;
  reader.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(ranges_and_prefixes_visit_rows_in_order_of_keys) {
  auto store = open_store(directory.path(), *source);
  for (std::uint32_t size : {300U, 2U, 70'000U})
    for (const char* name : {"b", "a", "ab"})
      make(*source, name, size);
  catch_up(*store, *source);
  store->read([](const read_transaction& t) {
    std::vector<std::string> seen;
    auto note = [&](const std::tuple<std::uint32_t, std::string>& key, const thing_count&) {
      seen.push_back(std::to_string(std::get<0>(key)) + std::get<1>(key));
    };
    auto expect = [&](std::vector<std::string> wanted) {
      BOOST_TEST(seen == wanted, boost::test_tools::per_element());
      seen.clear();
    };
    counts_by_size.for_each(t, note);
    expect({"2a", "2ab", "2b", "300a", "300ab", "300b", "70000a", "70000ab", "70000b"});
    counts_by_size.range(t, {2, "ab"}, {300, "b"}, note);
    expect({"2ab", "2b", "300a", "300ab"});
    counts_by_size.from(t, {300, "b"}, note);
    expect({"300b", "70000a", "70000ab", "70000b"});
    counts_by_size.with_prefix(t, std::tuple{std::uint32_t{300}}, note);
    expect({"300a", "300ab", "300b"});
    counts_by_size.backwards(t, std::nullopt, std::nullopt,
                             [&](const auto& key, const thing_count& row) {
                               note(key, row);
                               return seen.size() < 2;
                             });
    expect({"70000b", "70000ab"});
    counts_by_size.backwards(t, std::tuple{2U, std::string{"b"}},
                             std::tuple{300U, std::string{"b"}}, note);
    expect({"300ab", "300a", "2b"});
    BOOST_TEST(counts_by_size.count(t) == 9U);
  });
}

BOOST_AUTO_TEST_CASE(a_table_that_is_not_kept_is_a_clear_error) {
  constexpr table<std::string, thing_count> stranger{"stranger"};
  auto store = open_store(directory.path(), *source);
  BOOST_CHECK_EXCEPTION(
      store->read([&](const read_transaction& t) { return stranger.contains(t, "x"); }),
      storage_exception, [](const storage_exception& e) {
        return std::string{e.what()}.find("stranger") != std::string::npos;
      });
}

BOOST_AUTO_TEST_CASE(who_asked_is_told_to_apply_functions) {
  projection p{"who", 1};
  std::string asked;
  std::string from;
  p.on<thing_made_event>([&](const thing_made_event&, const event_info& info, write_transaction&) {
    asked = info.principal().subject;
    from = info.facts().origin;
    BOOST_TEST(info.stream == "things");
    BOOST_TEST(info.stream_version == 1U);
    BOOST_TEST(info.position == 1U);
  });
  envelope_head head;
  head.id = message_id::make();
  head.facts =
      std::make_shared<const conversation_facts>(conversation_facts{"here", {"alice", {}}, {}});
  append_request request;
  request.events.push_back({envelope{head, thing_made_event{"x", 1}}, "things"});
  append_ok(*source, request);
  catch_up(*open_store(directory.path(), *source, p), *source);
  BOOST_TEST(asked == "alice");
  BOOST_TEST(from == "here");
}

BOOST_AUTO_TEST_CASE(rows_equal_a_fold_of_the_journal_however_it_is_cut) {
  BOOST_TEST(rc::check([&] {
    test::temporary_directory folder;
    auto events = make_memory_journal();
    std::map<std::string, std::uint64_t> expected;
    auto store = open_store(folder.path(), *events);
    auto steps = *rc::gen::inRange(1, 30);
    for (int i = 0; i < steps; ++i) {
      auto name = std::string(1, static_cast<char>('a' + *rc::gen::inRange(0, 4)));
      switch (*rc::gen::inRange(0, 5)) {
        case 0:
          break_it(*events, name);
          expected.erase(name);
          break;
        case 1:
          (void)store->catch_up(*events, *rc::gen::inRange<std::uint64_t>(1, 4));
          break;
        case 2:
          if (*rc::gen::inRange(0, 3) == 0)
            RC_ASSERT(store->rebuild(*events).has_value());
          break;
        default:
          make(*events, name);
          ++expected[name];
      }
    }
    catch_up(*store, *events, 3);
    RC_ASSERT(rows_of(*store) == expected);
  }));
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_no_row_depends_on_is_written_now_and_then) {
  BOOST_TEST(projection_options{}.events_between_bare_checkpoints == 100'000U);
  auto open = [&] {
    auto opened = microlith::projection_store::open(
        thing_counts(),
        {.directory = directory.path(), .sync = false, .events_between_bare_checkpoints = 10},
        *source);
    BOOST_TEST_REQUIRE(opened.has_value());
    return std::move(*opened);
  };
  for (int i = 0; i < 25; ++i) {
    append_request nobody_wants;
    nobody_wants.events.push_back({message_of(thing_lost_event{"a"}), ""});
    append_ok(*source, nobody_wants);
  }
  {
    auto store = open();
    BOOST_TEST(store->catch_up(*source, 9).has_value());
    BOOST_TEST(store->checkpoint() == 9U);
  }
  BOOST_TEST(open()->checkpoint() == 0U);
  // One event a step: what came before 10 is not on disk, what comes after 20 is not, either.
  catch_up(*open(), *source, 1);
  BOOST_TEST(open()->checkpoint() == 20U);
  // Rows move their checkpoint with them.
  make(*source, "b");
  catch_up(*open(), *source);
  BOOST_TEST(open()->checkpoint() == 26U);
}

BOOST_AUTO_TEST_SUITE_END()
