#include "persistence/samples.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/derived_id.hpp>
#include <microlith/persistence/internal/subscription_layout.hpp>
#include <microlith/persistence/memory_journal.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <set>

namespace {

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;
using positions = std::vector<std::uint64_t>;

struct fixture {
  test::temporary_directory directory;
  std::unique_ptr<journal> source = make_memory_journal();

  fixture() {
    for (int i = 0; i < 10; ++i)
      append_ok(*source, to_stream("s"));
  }

  std::unique_ptr<subscription_store> open(
      const journal& of, subscription_start start = subscription_start::first_event) const {
    auto opened = subscription_store::open(
        "mails", {.directory = directory.path(), .start = start, .sync = false}, of);
    if (!opened)
      BOOST_FAIL(opened.error().text);
    return std::move(*opened);
  }
  std::unique_ptr<subscription_store> open() const { return open(*source); }

  static void save(subscription_store& store, const journal& of, std::uint64_t position) {
    message_id id;
    BOOST_TEST(of.read(position, {.events = 1}, [&](const record_view& r) {
                   id = r.id;
                   return false;
                 }).has_value());
    BOOST_TEST(store.save_checkpoint(position, id).has_value());
  }
  static void hold(subscription_store& store, std::string key, positions at, bool parked = true) {
    BOOST_TEST(store.hold({.key = std::move(key), .parked = parked, .attempts = 3, .why = "no"}, at)
                   .has_value());
  }
};

held_key example() {
  return {.key = "ann@example.org",
          .parked = true,
          .attempts = 9,
          .events = 3,
          .since = wall_time{std::chrono::microseconds{1'700'000'000'000'000}},
          .why = "the mail server said no"};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(subscription_store, fixture)

BOOST_AUTO_TEST_CASE(the_checkpoint_and_held_keys_survive) {
  {
    auto store = open();
    BOOST_TEST(store->checkpoint() == 0U);
    save(*store, *source, 7);
    hold(*store, "ann", {3, 5});
    hold(*store, "bob", {4}, false);
    std::vector<held_event> behind{{"ann", 6}, {"bob", 7}, {"ann", 6}};
    BOOST_TEST(store->hold_behind(behind).has_value());
  }
  auto store = open();
  BOOST_TEST(store->note().empty());
  BOOST_TEST(store->checkpoint() == 7U);
  BOOST_TEST(store->held_keys() == 2U);
  BOOST_TEST(store->parked_keys() == 1U);
  BOOST_TEST(store->held_events() == 5U);
  BOOST_TEST(store->parked_events() == 3U);
  BOOST_TEST((*store->positions_of("ann") == positions{3, 5, 6}));
  BOOST_TEST((*store->positions_of("ann", 3, 1) == positions{5}));
  auto ann = *store->find("ann");
  BOOST_TEST_REQUIRE(ann.has_value());
  BOOST_TEST(ann->parked);
  BOOST_TEST(ann->attempts == 3U);
  BOOST_TEST(ann->events == 3U);
  BOOST_TEST(ann->why == "no");
  BOOST_TEST(!store->find("eve")->has_value());
  auto first = *store->held({}, 1);
  BOOST_TEST_REQUIRE(first.size() == 1U);
  auto second = *store->held(first[0].key, 1);
  BOOST_TEST_REQUIRE(second.size() == 1U);
  BOOST_TEST(first[0].key != second[0].key);
  BOOST_TEST(store->held(second[0].key, 1)->empty());
  BOOST_TEST((subscriptions_in(directory.path()) == std::vector<std::string>{"mails"}));
}

BOOST_AUTO_TEST_CASE(a_key_whose_events_are_done_is_held_no_longer) {
  auto store = open();
  hold(*store, "ann", {3, 5}, false);
  BOOST_TEST(store->failed_again("ann", 4, true, "still no").has_value());
  BOOST_TEST(store->find("ann").value()->parked);
  BOOST_TEST(store->replay("ann").value());
  BOOST_TEST(!store->replay("ann").value());
  BOOST_TEST(store->find("ann").value()->attempts == 0U);
  BOOST_TEST(store->finished("ann", 3).value());
  BOOST_TEST(!store->finished("ann", 5).value());
  BOOST_TEST(!store->find("ann")->has_value());
  BOOST_TEST(store->held_keys() == 0U);
  BOOST_TEST(store->held_events() == 0U);
}

BOOST_AUTO_TEST_CASE(only_what_is_parked_is_dropped) {
  auto store = open();
  hold(*store, "ann", {3, 5, 7});
  hold(*store, "bob", {4}, false);
  BOOST_TEST(store->drop("bob").value() == 0U);
  BOOST_TEST(store->drop("ann", 5).value() == 1U);
  BOOST_TEST(store->drop("ann", 5).value() == 0U);
  BOOST_TEST((*store->positions_of("ann") == positions{3, 7}));
  BOOST_TEST(store->drop("ann").value() == 2U);
  BOOST_TEST(store->parked_keys() == 0U);
  BOOST_TEST(store->held_keys() == 1U);
}

BOOST_AUTO_TEST_CASE(a_new_one_may_begin_at_the_next_event) {
  BOOST_TEST(open(*source, subscription_start::next_event)->checkpoint() == 10U);
  append_ok(*source, to_stream("s"));
  BOOST_TEST(open(*source, subscription_start::next_event)->checkpoint() == 10U);
}

BOOST_AUTO_TEST_CASE(one_of_another_journal_begins_again_and_says_so) {
  {
    auto store = open();
    save(*store, *source, 7);
    hold(*store, "ann", {3});
  }
  auto other = make_memory_journal();
  auto store = open(*other);
  BOOST_TEST(store->checkpoint() == 0U);
  BOOST_TEST(store->held_keys() == 0U);
  BOOST_TEST(store->note().find("another journal") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_restored_journal_does_not_have_is_forgotten) {
  auto folder = directory.path() / "j";
  auto backup = directory.path() / "backup";
  journal_options options{.directory = folder, .merge_in_background = false, .sync = false};
  {
    auto j = open_journal(options);
    for (int i = 0; i < 4; ++i)
      append_ok(*j, to_stream("s"));
  }
  fs::copy(folder, backup, fs::copy_options::recursive);
  {
    auto j = open_journal(options);
    for (int i = 0; i < 4; ++i)
      append_ok(*j, to_stream("s"));
    auto store = open(*j);
    save(*store, *j, 8);
    hold(*store, "ann", {3, 6});
    hold(*store, "bob", {7});
  }
  fs::remove_all(folder);
  fs::copy(backup, folder, fs::copy_options::recursive);
  {
    auto j = open_journal(options);
    auto store = open(*j);
    BOOST_TEST(store->checkpoint() == 4U);
    BOOST_TEST(store->note().find("restored") != std::string::npos);
    BOOST_TEST((*store->positions_of("ann") == positions{3}));
    BOOST_TEST(!store->find("bob")->has_value());
    BOOST_TEST(store->held_events() == 1U);
    for (int i = 0; i < 4; ++i)
      append_ok(*j, to_stream("s"));
    save(*store, *j, 7);
  }
  // Restored once more, and grown past the checkpoint before the subscription was opened.
  fs::remove_all(folder);
  fs::copy(backup, folder, fs::copy_options::recursive);
  auto j = open_journal(options);
  for (int i = 0; i < 8; ++i)
    append_ok(*j, to_stream("s"));
  auto store = open(*j);
  BOOST_TEST(store->checkpoint() == 0U);
  BOOST_TEST(!store->note().empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_one_is_refused) {
  save(*open(), *source, 7);
  fs::resize_file(directory.path() / "subscriptions" / "mails" / "data.mdb", 4096 * 2 + 100);
  auto opened =
      microlith::subscription_store::open("mails", {.directory = directory.path()}, *source);
  BOOST_TEST_REQUIRE(opened.has_error());
  BOOST_TEST((opened.error().kind == storage_error_kind::damaged));
  BOOST_TEST(opened.error().text.find("delivered again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_format_1_has_written_is_readable_for_ever) {
  internal::subscription_state state{.epoch = {0x0101010101010101, 0x0202020202020202},
                                     .checkpoint = 17,
                                     .event = {0x0303030303030303, 0x0404040404040404}};
  state.secret.fill(std::byte{5});
  auto written = test::golden("persistence/subscription_state_v1.hex");
  BOOST_TEST((internal::decode_subscription_state(written) == state));
  BOOST_TEST(test::hex(internal::encode_subscription_state(state)) == test::hex(written));
  written = test::golden("persistence/held_key_v1.hex");
  BOOST_TEST((internal::decode_held_key(written) == example()));
  BOOST_TEST(test::hex(internal::encode_held_key(example())) == test::hex(written));
  auto id = internal::encode_held_event_id(internal::encode_held_key_id("ann", state.secret), 17);
  written = test::golden("persistence/held_event_v1.hex");
  BOOST_TEST((internal::decode_held_event(id, written) == 17U));
  BOOST_TEST(test::hex(internal::encode_held_event(id)) == test::hex(written));
}

BOOST_AUTO_TEST_CASE(any_change_of_a_held_key_is_noticed) {
  auto value = internal::encode_held_key(example());
  for (std::size_t at = 0; at < value.size(); ++at) {
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!internal::decode_held_key(value).has_value());
    value[at] ^= std::byte{1};
    BOOST_TEST_REQUIRE(!internal::decode_held_key(std::span{value}.first(at)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(derived_ids_are_the_same_whenever_they_are_made) {
  auto from = message_id::make();
  BOOST_TEST((derived_id(from, "mails", 1) == derived_id(from, "mails", 1)));
  std::set<message_id> all{from};
  for (std::uint64_t i = 0; i < 100; ++i) {
    all.insert(derived_id(from, "mails", i));
    all.insert(derived_id(from, "bills", i));
    all.insert(derived_id(message_id::make(), "mails", i));
  }
  BOOST_TEST(all.size() == 301U);
  auto id = derived_id(from, "mails", 1);
  BOOST_TEST((id.time() == from.time()));
  BOOST_TEST((message_id::parse(to_string(id)) == id));
  BOOST_TEST(to_string(id)[14] == '7');
}

BOOST_AUTO_TEST_CASE(the_map_grows_up_to_its_limit_and_a_full_one_loses_nothing) {
  auto open_small = [&](std::size_t limit) {
    auto opened = microlith::subscription_store::open("mails",
                                                      {.directory = directory.path(),
                                                       .map_limit_bytes = limit,
                                                       .map_reserve_bytes = 64 * 1024,
                                                       .sync = false},
                                                      *source);
    BOOST_TEST_REQUIRE(opened.has_value());
    return std::move(*opened);
  };
  auto key_of = [](std::uint64_t i) { return std::string(900, 'k') + std::to_string(i); };
  const positions at{3};
  std::uint64_t held = 0;
  {
    auto store = open_small(std::size_t{1} << 20);
    for (std::optional<storage_error> refused; !refused && held < 10'000;
         held += refused ? 0U : 1U) {
      if (auto done = store->hold({.key = key_of(held), .parked = true, .attempts = 1}, at); !done)
        refused = done.error();
      if (refused) {
        BOOST_TEST((refused->kind == storage_error_kind::full));
        BOOST_TEST(refused->text.find("Make room") != std::string::npos);
      }
    }
    BOOST_TEST(held > 200U);
    BOOST_TEST(held < 10'000U);
    BOOST_TEST(store->parked_keys() == held);
    BOOST_TEST(store->find(key_of(held - 1)).value().has_value());
    BOOST_TEST(!store->find(key_of(held)).value().has_value());
  }
  auto store = open_small(0);
  BOOST_TEST(store->parked_keys() == held);
  for (int i = 0; i < 1000; ++i)
    hold(*store, "more " + key_of(static_cast<std::uint64_t>(i)), at);
  save(*store, *source, 10);
  BOOST_TEST(store->held_events() == held + 1000);
  for (std::uint64_t i = 0; i < held; ++i)
    BOOST_TEST(store->drop(key_of(i)).value() == 1U);
  BOOST_TEST(store->held_events() == 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
