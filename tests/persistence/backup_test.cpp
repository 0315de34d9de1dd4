// Copies of a data directory: what cannot be derived comes along, and fits the journal's copy.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/backup.hpp>
#include <microlith/persistence/subscription_store.hpp>
#include <microlith/persistence/verify.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

struct fixture {
  test::temporary_directory directory;
  fs::path data = directory.path() / "data";
  fs::path copy = directory.path() / "copy";
  fs::path back = directory.path() / "back";

  static std::unique_ptr<journal> journal_in(const fs::path& at) {
    return open_journal({.directory = at, .sync = false});
  }
  static std::unique_ptr<subscription_store> mails(const fs::path& at, const journal& of) {
    auto opened = subscription_store::open("mails", {.directory = at, .sync = false}, of);
    if (!opened)
      BOOST_FAIL(opened.error().text);
    return std::move(*opened);
  }
  static void save(subscription_store& store, const journal& of, std::uint64_t position) {
    message_id id;
    BOOST_TEST(of.read(position, {.events = 1}, [&](const record_view& r) {
                   id = r.id;
                   return false;
                 }).has_value());
    BOOST_TEST(store.save_checkpoint(position, id).has_value());
  }
  static void append_some(journal& to, std::size_t events) {
    append_ok(to, to_stream("thing", events));
  }
  static void write_file(const fs::path& file, std::string_view text) {
    std::ofstream{file, std::ios::binary} << text;
  }
  static std::string read_file(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  /// Ten events; come to the eighth, the third and fifth are held.
  void make() const {
    auto j = journal_in(data);
    append_some(*j, 10);
    auto store = mails(data, *j);
    std::vector<std::uint64_t> held{3, 5};
    BOOST_TEST(
        store->hold({.key = "ann", .parked = true, .attempts = 4, .why = "no"}, held).has_value());
    save(*store, *j, 8);
    write_file(data / "http-key", "secret");
  }
  copy_report copied() const {
    auto done = back_up(data, copy);
    if (!done)
      BOOST_FAIL(done.error().text);
    return *done;
  }
};

void check_fine(const fs::path& data) {
  auto report = verify(data);
  BOOST_TEST_REQUIRE(report.has_value());
  for (const auto& f : report->findings)
    BOOST_TEST(!f.is_damage, f.text);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(backup, fixture)

BOOST_AUTO_TEST_CASE(subscriptions_and_files_come_along_and_go_on) {
  make();
  auto report = copied();
  BOOST_TEST(report.events == 10U);
  BOOST_TEST(report.subscriptions == 1U);
  BOOST_TEST(report.files == 1U);
  check_fine(copy);
  BOOST_TEST(restore(copy, back).has_value());
  check_fine(back);
  for (const auto& place : {copy, back}) {
    BOOST_TEST(read_file(place / "http-key") == "secret");
    BOOST_TEST((fs::status(place / "http-key").permissions() == fs::perms{0600}));
    BOOST_TEST((fs::status(place / "subscriptions").permissions() == fs::perms{0700}));
    auto j = journal_in(place);
    auto store = mails(place, *j);
    BOOST_TEST(store->note().empty(), store->note());
    BOOST_TEST(store->checkpoint() == 8U);
    auto ann = store->find("ann").value();
    BOOST_TEST_REQUIRE(ann.has_value());
    BOOST_TEST((ann->parked && ann->attempts == 4 && ann->events == 2 && ann->why == "no"));
    BOOST_TEST((store->positions_of("ann").value() == std::vector<std::uint64_t>{3, 5}));
  }
}

BOOST_AUTO_TEST_CASE(nothing_but_the_copy_is_left_in_its_directory) {
  make();
  write_file(data / ".hidden", "x");
  write_file(data / "owner", "1\n");
  fs::create_directory(data / "folder");
  fs::create_symlink("http-key", data / "link");
  copied();
  BOOST_TEST(restore(copy, back).has_value());
  auto names = [](const fs::path& of) {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator{of})
      all.insert(entry.path().filename().string());
    return all;
  };
  BOOST_TEST((names(copy) == std::set<std::string>{"http-key", "journal", "subscriptions"}));
  BOOST_TEST(
      (names(back) == std::set<std::string>{"http-key", "journal", "owner", "subscriptions"}));
  BOOST_TEST((names(copy / "subscriptions" / "mails") == std::set<std::string>{"data.mdb"}));
}

// Deterministic: what happens while the journal is copied must not be in the subscription's copy.
BOOST_AUTO_TEST_CASE(a_checkpoint_that_moves_while_events_are_copied_is_not_ahead_of_them) {
  make();
  auto j = journal_in(data);
  auto store = mails(data, *j);
  auto done = back_up(data, copy, [&](std::uint64_t, std::uint64_t) {
    append_some(*j, 5);
    save(*store, *j, j->last_position());
  });
  BOOST_TEST_REQUIRE(done.has_value());
  BOOST_TEST(done->events == 10U);
  check_fine(copy);
  auto of_copy = journal_in(copy);
  BOOST_TEST(mails(copy, *of_copy)->checkpoint() == 8U);
}

BOOST_AUTO_TEST_CASE(beside_a_node_that_is_busy_no_checkpoint_is_ahead) {
  make();
  auto j = journal_in(data);
  auto store = mails(data, *j);
  std::atomic<bool> stop{false};
  std::thread node{[&] {
    for (int i = 0; i < 2000 && !stop; ++i) {
      auto request = to_stream("busy", 3);
      (void)j->append(std::span{&request, 1});
      (void)store->save_checkpoint(j->last_position(), request.events.back().message.head().id);
      (void)store->hold({.key = "key", .parked = true}, std::vector{j->last_position()});
    }
  }};
  for (int round = 0; round < 3; ++round) {
    auto to = directory.path() / std::to_string(round);
    auto done = back_up(data, to);
    BOOST_TEST(done.has_value());
    check_fine(to);
    auto again = directory.path() / ("restored " + std::to_string(round));
    BOOST_TEST(restore(to, again).has_value());
    check_fine(again);
  }
  stop = true;
  node.join();
}

BOOST_AUTO_TEST_CASE(restoring_overwrites_no_subscription_and_no_file) {
  make();
  copied();
  auto refused = [&](const std::string& what) {
    auto done = restore(copy, back);
    BOOST_TEST_REQUIRE(done.has_error());
    BOOST_TEST((done.error().kind == storage_error_kind::unusable));
    BOOST_TEST(done.error().text.find(what) != std::string::npos, done.error().text);
    BOOST_TEST(!fs::exists(back / "journal"));
  };
  fs::create_directories(back / "subscriptions" / "mails");
  refused("subscriptions/mails already");
  fs::remove_all(back / "subscriptions");
  write_file(back / "http-key", "secre!");
  refused("http-key already");
  BOOST_TEST(read_file(back / "http-key") == "secre!");
  write_file(back / "http-key", "secret");
  BOOST_TEST(restore(copy, back).has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_subscription_is_not_copied_and_nothing_is_left) {
  make();
  auto file = data / "subscriptions" / "mails" / "data.mdb";
  auto content = read_file(file);
  for (auto at = content.find("ann"); at != std::string::npos; at = content.find("ann", at + 1))
    content[at] = 'A';
  write_file(file, content);
  auto done = back_up(data, copy);
  BOOST_TEST_REQUIRE(done.has_error());
  BOOST_TEST((done.error().kind == storage_error_kind::damaged));
  BOOST_TEST(done.error().text.find("held key is not what was written") != std::string::npos);
  BOOST_TEST(!fs::exists(copy));
}

BOOST_AUTO_TEST_CASE(a_subscription_of_another_journal_stays_one) {
  make();
  auto other = open_journal({.directory = directory.path() / "other", .sync = false});
  append_some(*other, 10);
  fs::remove_all(data / "subscriptions");
  save(*mails(data, *other), *other, 7);
  copied();
  BOOST_TEST(restore(copy, back).has_value());
  auto j = journal_in(back);
  auto store = mails(back, *j);
  BOOST_TEST(store->checkpoint() == 0U);
  BOOST_TEST(store->note().find("another journal") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
