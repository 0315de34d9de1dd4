#include "apps/microlith/tool.hpp"

#include <microlith/persistence/owner.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>

using namespace microlith;
using tool::test::lines_of;
using tool::test::run;
namespace fs = std::filesystem;

namespace {

/// Ten events; come to the eighth; ann's third and fifth and cid's fourth are parked, bob's sixth
/// is tried again.
class data_directory {
 public:
  data_directory() {
    auto journal = tool::test::journal_in(path());
    sample::append_ok(*journal, sample::to_stream("thing", 10));
    auto store = store_of(*journal);
    auto hold = [&](std::string key, bool parked, std::vector<std::uint64_t> at) {
      held_key how{.key = std::move(key), .parked = parked, .attempts = 3};
      how.why = "the mail server said\nno";
      BOOST_REQUIRE(store->hold(how, at).has_value());
    };
    hold("ann", true, {3, 5});
    hold("cid", true, {4});
    hold("bob", false, {6});
    message_id eighth;
    BOOST_REQUIRE(journal->read(8, {.events = 1}, [&](const record_view& r) { eighth = r.id; }));
    BOOST_REQUIRE(store->save_checkpoint(8, eighth).has_value());
  }

  [[nodiscard]] std::unique_ptr<subscription_store> store_of(const journal& of) const {
    auto opened = subscription_store::open("mails", {.directory = path(), .sync = false}, of);
    BOOST_REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  [[nodiscard]] std::unique_ptr<subscription_store> store() const {
    return store_of(*tool::test::journal_in(path()));
  }
  [[nodiscard]] fs::path path() const { return directory_.path() / "d"; }
  [[nodiscard]] std::string text() const { return path().string(); }

 private:
  microlith::test::temporary_directory directory_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(subscription_commands)

BOOST_AUTO_TEST_CASE(ls_shows_how_far_they_are_and_what_they_hold) {
  data_directory data;
  auto end = run({"subscription", "ls", "--data", data.text(), "--json"});
  BOOST_TEST(end.code == 0);
  auto one = boost::json::parse(end.out).at(0);
  BOOST_TEST(one.at("name").as_string() == "mails");
  BOOST_TEST(one.at("checkpoint").as_int64() == 8);
  BOOST_TEST(one.at("behind").as_int64() == 2);
  BOOST_TEST(one.at("held_keys").as_int64() == 3);
  BOOST_TEST(one.at("held_events").as_int64() == 4);
  BOOST_TEST(one.at("fits_journal").as_bool());
  bool found = false;
  for (const auto& key : one.at("keys").as_array()) {
    if (key.at("key").as_string() != "ann")
      continue;
    found = true;
    BOOST_TEST(key.at("parked").as_bool());
    BOOST_TEST(key.at("events").as_int64() == 2);
    BOOST_TEST(key.at("first_position").as_int64() == 3);
    BOOST_TEST(key.at("attempts").as_int64() == 3);
  }
  BOOST_TEST(found);
  auto lines = lines_of(run({"subscription", "ls", "--data", data.text()}).out);
  BOOST_TEST_REQUIRE(lines.size() == 4U);  // what an error text says forges no line
  BOOST_TEST(lines[0].find("4 events held under 3 keys") != std::string::npos, lines[0]);
  auto cut = run({"subscription", "ls", "--data", data.text(), "--limit", "1"});
  BOOST_TEST(lines_of(cut.out).size() == 2U);
  BOOST_TEST(cut.err.find("--limit") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(replay_takes_a_key_or_all_and_drop_an_event_a_key_or_all) {
  data_directory data;
  auto done = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "subscription");
    arguments.insert(arguments.end(), {"--data", data.text()});
    auto end = run(arguments);
    BOOST_TEST(end.code == 0, end.err);
    return end.out;
  };
  BOOST_TEST(done({"replay", "mails", "ann"}).starts_with("1 keys of mails"));
  {
    auto ann = data.store()->find("ann").value();
    BOOST_TEST_REQUIRE(ann.has_value());
    BOOST_TEST((!ann->parked && ann->attempts == 0 && ann->events == 2));
    BOOST_TEST(data.store()->parked_keys() == 1U);
  }
  data_directory fresh;
  auto on_fresh = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "subscription");
    arguments.insert(arguments.end(), {"--data", fresh.text()});
    return run(arguments);
  };
  BOOST_TEST(on_fresh({"drop", "mails", "ann", "--position", "5"}).code == 0);
  BOOST_TEST((fresh.store()->positions_of("ann").value() == std::vector<std::uint64_t>{3}));
  BOOST_TEST(on_fresh({"drop", "mails", "cid"}).code == 0);
  BOOST_TEST(!fresh.store()->find("cid").value().has_value());
  BOOST_TEST(on_fresh({"replay", "mails", "--all"}).code == 0);
  BOOST_TEST(fresh.store()->parked_keys() == 0U);
  // What is tried again is not dropped.
  BOOST_TEST(on_fresh({"drop", "mails", "--all"}).code == 2);
  BOOST_TEST(fresh.store()->held_events() == 2U);
  BOOST_TEST(fresh.store()->checkpoint() == 8U);
  BOOST_TEST(run({"journal", "verify", "--data", fresh.text()}).code == 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_parked_or_not_named_is_wrong_use) {
  data_directory data;
  for (const auto& arguments : {std::vector<std::string>{"replay", "mails", "bob"},
                                {"replay", "mails", "nobody"},
                                {"drop", "mails", "bob"},
                                {"drop", "mails", "ann", "--position", "4"},
                                {"replay", "mails"},
                                {"drop", "mails"},
                                {"drop", "mails", "ann", "--all"},
                                {"drop", "mails", "--all", "--position", "3"},
                                {"replay", "others", "ann"},
                                {"drop", "..", "ann"},
                                {"drop", "../journal", "--all"},
                                {"drop", "", "ann"}}) {
    std::vector<std::string> all{"subscription"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--data", data.text()});
    auto end = run(all);
    BOOST_TEST(end.code == 2, arguments[1]);
    BOOST_TEST(end.out.empty());
    BOOST_TEST(lines_of(end.err).size() == 1U, end.err);
  }
  BOOST_TEST(data.store()->held_events() == 4U);
  BOOST_TEST(data.store()->parked_keys() == 2U);
}

BOOST_AUTO_TEST_CASE(a_running_node_is_looked_at_and_not_interfered_with) {
  data_directory data;
  auto owner = data_owner::acquire(data.path());
  auto journal = tool::test::journal_in(data.path());
  auto store = data.store_of(*journal);
  BOOST_TEST(run({"subscription", "ls", "--data", data.text()}).code == 0);
  for (const char* command : {"replay", "drop"}) {
    auto end = run({"subscription", command, "mails", "ann", "--data", data.text()});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.err.find("is in use by process") != std::string::npos);
    BOOST_TEST(end.err.find("stop it first") != std::string::npos);
  }
  BOOST_TEST(store->parked_keys() == 2U);
}

BOOST_AUTO_TEST_CASE(a_damaged_one_is_told_and_exits_1) {
  data_directory data;
  auto file = data.path() / "subscriptions" / "mails" / "data.mdb";
  std::string content;
  {
    std::ifstream in{file, std::ios::binary};
    content.assign(std::istreambuf_iterator<char>{in}, {});
  }
  for (auto at = content.find("ann"); at != std::string::npos; at = content.find("ann", at + 1))
    content[at] = 'A';
  std::ofstream{file, std::ios::binary} << content;
  auto end = run({"subscription", "ls", "--data", data.text()});
  BOOST_TEST(end.code == 1);
  BOOST_TEST(end.out.find("it is damaged") != std::string::npos);
  // Its neighbours can be reached by name yet; what is damaged cannot.
  BOOST_TEST(run({"subscription", "drop", "mails", "--all", "--data", data.text()}).code == 1);
  fs::resize_file(file, 5000);
  BOOST_TEST(run({"subscription", "ls", "--data", data.text()}).code == 1);
  BOOST_TEST(run({"subscription", "replay", "mails", "cid", "--data", data.text()}).code == 1);
}

BOOST_AUTO_TEST_SUITE_END()
