// Whatever a command is given, and whatever it finds: the promised exit code, no signal, and where
// it complains one line that says what to do.

#include "apps/microlith/tool.hpp"
#include "persistence/thing_rows.hpp"

#include <microlith/persistence/internal/byte_order.hpp>
#include <microlith/persistence/internal/hash.hpp>
#include <microlith/persistence/internal/journal_layout.hpp>
#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/projection_store.hpp>
#include <microlith/persistence/subscription_store.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

using namespace microlith;
using tool::test::lines_of;
using tool::test::run;
namespace fs = std::filesystem;
using words = std::vector<std::string>;

namespace {

constexpr const char* some_id = "018f0e5a-7c3b-7abc-9def-0123456789ab";

/// Every command, with arguments that are fine but for the data directory, which comes last.
std::vector<words> commands(const std::string& elsewhere) {
  return {{"journal", "stats"},
          {"journal", "ls"},
          {"journal", "show", "1"},
          {"journal", "tail"},
          {"journal", "trace", some_id},
          {"journal", "export"},
          {"journal", "verify"},
          {"journal", "backup", "--to", elsewhere},
          {"projection", "ls"},
          {"projection", "rebuild", "sample.things"},
          {"projection", "drop", "sample.things"},
          {"subscription", "ls"},
          {"subscription", "replay", "mails", "ann"},
          {"subscription", "drop", "mails", "ann"}};
}

words with_data(words command, const std::string& data) {
  command.insert(command.end(), {"--data", data});
  return command;
}

std::string text_of(const words& command) {
  std::string text;
  for (const auto& word : command)
    text += word + ' ';
  return text;
}

void check_one_line(const microlith::test::child_process::ending& end, const words& command,
                    int code) {
  BOOST_TEST(end.code == code, text_of(command) << "exited with " << end.code << ": " << end.err);
  BOOST_TEST(end.out.empty(), text_of(command));
  BOOST_TEST(end.err.starts_with("microlith: "), text_of(command));
  BOOST_TEST(lines_of(end.err).size() == 1U, text_of(command) << end.err);
}

/// A journal with rows and a parked key, as a stopped node leaves it.
struct fixture {
  microlith::test::temporary_directory directory;
  fs::path data = directory.path() / "d";
  fs::path elsewhere = directory.path() / "elsewhere";

  void fill(std::size_t events) const {
    auto journal = tool::test::journal_in(data);
    if (events != 0)
      sample::append_ok(*journal, sample::to_stream("thing", events));
    auto rows =
        projection_store::open(sample::thing_rows(), {.directory = data, .sync = false}, *journal);
    BOOST_REQUIRE((rows.has_value() && (*rows)->catch_up(*journal).has_value()));
    auto store = subscription_store::open("mails", {.directory = data, .sync = false}, *journal);
    BOOST_REQUIRE(store.has_value());
    if (events != 0) {
      std::vector<std::uint64_t> at{1};
      BOOST_REQUIRE((*store)->hold({.key = "ann", .parked = true}, at).has_value());
    }
    BOOST_REQUIRE(journal->merge_now().has_value());
  }

  void set_modes(fs::perms of_folders, fs::perms of_files) const {
    std::vector<fs::path> all{data};
    for (const auto& entry : fs::recursive_directory_iterator{data})
      all.push_back(entry.path());
    // From the leaves up: a folder that is closed hides what is in it.
    std::reverse(all.begin(), all.end());
    for (const auto& path : all) {
      if (::geteuid() == 0)
        BOOST_REQUIRE(::chown(path.c_str(), nobody, nobody) == 0);
      fs::permissions(path, fs::is_directory(path) ? of_folders : of_files);
    }
    fs::permissions(directory.path(), fs::perms{0711});
  }

  /// As a user whom permissions bind.
  static microlith::test::child_process::ending run_bound(const words& command) {
    if (::geteuid() != 0)
      return run(command);
    words all{"--reuid",        std::to_string(nobody),      "--regid", std::to_string(nobody),
              "--clear-groups", tool::test::program.string()};
    all.insert(all.end(), command.begin(), command.end());
    auto end = microlith::test::child_process{"/usr/bin/setpriv", all}.wait();
    BOOST_TEST(end.signal == 0);
    return end;
  }
  /// Whether `run_bound` can run the program at all: not from below a closed directory.
  static bool can_run_bound() {
    bool can =
        (::geteuid() != 0 || fs::exists("/usr/bin/setpriv")) && run_bound({"--version"}).code == 0;
    if (!can)
      BOOST_TEST_MESSAGE("skipped: the program cannot be run as another user");
    return can;
  }

  static constexpr uid_t nobody = 65'534;
};

std::map<std::string, std::string> contents(const fs::path& data) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator{data}) {
    std::ifstream in{entry.path(), std::ios::binary};
    if (entry.is_regular_file())
      all[entry.path().string()] = {std::istreambuf_iterator<char>{in}, {}};
  }
  return all;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(troubles, fixture)

BOOST_AUTO_TEST_CASE(places_that_are_no_data_directory_exit_2) {
  auto file = (directory.path() / "file").string();
  std::ofstream{file} << "text";
  fs::create_directory(directory.path() / "empty");
  fs::create_directories(directory.path() / "folder" / "journal" / "data.mdb");
  fs::create_directory(directory.path() / "begun");
  fs::create_directory(directory.path() / "begun" / "journal");
  std::ofstream{directory.path() / "begun" / "journal" / "data.mdb"};
  auto too_long = std::string(5000, 'x');
  for (const auto& place :
       {(directory.path() / "none").string(), file, too_long, std::string{},
        (directory.path() / "empty").string(), std::string{"/dev/null"},
        (directory.path() / "folder").string(), (directory.path() / "begun").string()}) {
    for (const auto& command : commands(elsewhere.string()))
      check_one_line(run(with_data(command, place)), command, 2);
    for (const auto& command : {words{"journal", "restore", "--data", elsewhere.string()}}) {
      auto all = command;
      all.insert(all.end(), {"--from", place});
      check_one_line(run(all), all, 2);
    }
  }
  BOOST_TEST(!fs::exists(elsewhere));
  BOOST_TEST(!fs::exists(directory.path() / "none"));
  BOOST_TEST(fs::is_empty(directory.path() / "empty"));
}

BOOST_AUTO_TEST_CASE(nonsense_arguments_exit_2) {
  fill(3);
  for (const auto& command : commands(elsewhere.string())) {
    check_one_line(run(command), command, 2);  // no --data
    for (const auto& nonsense :
         {words{"--nonsense"}, words{"one", "two", "three", "four"}, words{"--json=maybe"},
          words{"--data", "twice"}, words{"--data"}}) {
      auto all = with_data(command, data.string());
      all.insert(all.end(), nonsense.begin(), nonsense.end());
      check_one_line(run(all), all, 2);
    }
  }
  for (const auto& command : {words{"journal", "ls", "--from", "-1"},
                              {"journal", "ls", "--to", "x"},
                              {"journal", "ls", "--limit", "99999999999999999999999"},
                              {"journal", "ls", "--correlation", "018f0e5a"},
                              {"journal", "ls", "--since", "tomorrow"},
                              {"journal", "ls", "--until", "2024-13-01"},
                              {"journal", "show"},
                              {"journal", "show", "0"},
                              {"journal", "show", "1e3"},
                              {"journal", "show", "\n"},
                              {"journal", "tail", "-n", "-5"},
                              {"journal", "tail", "-n", "1000000000"},
                              {"journal", "trace"},
                              {"journal", "trace", ""},
                              {"journal", "trace", "1"},
                              {"journal", "export", "--file", "/nowhere/at/all"},
                              {"journal", "export", "--file", "/"},
                              {"journal", "backup"},
                              {"journal", "backup", "--to", "/proc/none"},
                              {"projection", "rebuild"},
                              {"projection", "drop", "none"},
                              {"subscription", "ls", "--limit", "many"},
                              {"subscription", "replay"},
                              {"subscription", "drop", "mails", "ann", "--position", "-3"}})
    check_one_line(run(with_data(command, data.string())), command, 2);
  for (const auto& command : {words{"journal", "restore"},
                              {"journal", "restore", "--from", data.string()},
                              {"journal", "restore", "--data", elsewhere.string()},
                              {"projection"},
                              {"subscription"},
                              {"subscription", "nonsense"},
                              {"cluster", "nonsense"},
                              {"journal", ""}})
    check_one_line(run(command), command, 2);
  BOOST_TEST(run({"journal", "verify", "--data", data.string()}).code == 0);
}

BOOST_AUTO_TEST_CASE(every_command_has_help_with_an_example) {
  auto all = commands(elsewhere.string());
  all.push_back({"journal", "restore"});
  all.push_back({"cluster", "status"});
  all.push_back({"cluster", "move"});
  all.push_back({"cluster", "certificates"});
  for (const auto& command : all) {
    words help{command[0], command[1], "--help"};
    auto end = run(help);
    BOOST_TEST(end.code == 0, text_of(help));
    BOOST_TEST(end.err.empty());
    BOOST_TEST(end.out.find("microlith " + command[0] + ' ' + command[1]) != std::string::npos,
               text_of(help));
  }
}

BOOST_AUTO_TEST_CASE(an_empty_journal_is_fine_and_holds_nothing) {
  fill(0);
  auto in = [&](words command) { return run(with_data(std::move(command), data.string())); };
  auto stats = in({"journal", "stats", "--json"});
  BOOST_TEST(stats.code == 0);
  BOOST_TEST(boost::json::parse(stats.out).at("events").as_int64() == 0);
  for (const auto& command : {words{"journal", "stats"},
                              {"journal", "verify"},
                              {"projection", "ls"},
                              {"subscription", "ls"}})
    BOOST_TEST(in(command).code == 0, text_of(command));
  for (const auto& command : {words{"journal", "ls"},
                              {"journal", "ls", "--stream", "thing"},
                              {"journal", "ls", "--correlation", some_id},
                              {"journal", "tail"},
                              {"journal", "export"}}) {
    auto end = in(command);
    BOOST_TEST(end.code == 0, text_of(command) << end.err);
    BOOST_TEST((end.out.empty() && end.err.empty()), text_of(command));
  }
  for (const auto& command :
       {words{"journal", "show", "1"}, {"journal", "show", some_id}, {"journal", "trace", some_id}})
    check_one_line(in(command), command, 2);
  BOOST_TEST(in({"journal", "backup", "--to", elsewhere.string()}).code == 0);
  auto back = (directory.path() / "back").string();
  BOOST_TEST(run({"journal", "restore", "--from", elsewhere.string(), "--data", back}).code == 0);
  BOOST_TEST(run({"journal", "verify", "--data", back}).code == 0);
}

BOOST_AUTO_TEST_CASE(a_journal_of_another_format_is_left_to_the_program_that_knows_it) {
  fill(5);
  {
    internal::environment env{data / "journal",
                              {.map_bytes = std::size_t{16} << 20, .max_tables = 4}};
    internal::lmdb_transaction t{env, internal::lmdb_transaction::access::write};
    auto main = t.open_table(nullptr, 0);
    auto meta = internal::decode_meta(t.find(main, internal::journal_meta_key).value()).value();
    meta.format = internal::journal_format + 1;
    t.put(main, internal::journal_meta_key, internal::encode_meta(meta));
    t.commit();
  }
  auto before = contents(data);
  for (const auto& command : commands(elsewhere.string())) {
    auto end = run(with_data(command, data.string()));
    check_one_line(end, command, 2);
    BOOST_TEST(end.err.find("use a newer program") != std::string::npos, text_of(command)
                                                                             << end.err);
  }
  BOOST_TEST(!fs::exists(data / "owner"));
  check_one_line(run({"journal", "restore", "--from", data.string(), "--data", elsewhere.string()}),
                 {"restore"}, 2);
  BOOST_TEST(!fs::exists(elsewhere));
  BOOST_TEST((contents(data) == before));
}

// A journal that this program knows, with parts beside it that it does not.
BOOST_AUTO_TEST_CASE(parts_of_another_format_are_not_damaged_and_left_alone) {
  fill(5);
  for (const auto& [folder, table] : {std::pair{"index", "state"},
                                      {"projections/sample.things", "projection"},
                                      {"subscriptions/mails", "state"}}) {
    internal::environment env{data / folder,
                              {.map_bytes = std::size_t{16} << 20, .max_tables = 128}};
    internal::lmdb_transaction t{env, internal::lmdb_transaction::access::write};
    auto states = t.open_table(table, 0);
    auto stored = t.find(states, std::string_view{"state"}).value();
    bytes newer{stored.begin(), stored.end()};
    internal::store_le(newer.data() + 8, std::uint32_t{99});
    internal::store_le(newer.data(), internal::checksum(std::span{newer}.subspan(8), 0));
    t.put(states, std::string_view{"state"}, newer);
    t.commit();
  }
  auto before = contents(data);
  auto in = [&](words command) { return run(with_data(std::move(command), data.string())); };
  const std::string advice = "has format 99, this program knows 1: use a newer program";
  for (const char* group : {"projection", "subscription"}) {
    auto end = in({group, "ls"});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.out.find(advice) != std::string::npos, end.out);
  }
  for (const auto& command : {words{"subscription", "replay", "mails", "ann"},
                              {"subscription", "drop", "mails", "--all"},
                              {"journal", "backup", "--to", elsewhere.string()}}) {
    auto end = in(command);
    check_one_line(end, command, 2);
    BOOST_TEST(end.err.find(advice) != std::string::npos, end.err);
  }
  auto verified = in({"journal", "verify"});
  BOOST_TEST(verified.code == 0, verified.out);
  for (const char* part : {"index", "projection sample.things", "subscription mails"})
    BOOST_TEST(verified.out.find("note    " + std::string{part} + ": it has format 99") !=
                   std::string::npos,
               verified.out);
  // The events are found without the index.
  BOOST_TEST(lines_of(in({"journal", "ls", "--stream", "thing"}).out).size() == 5U);
  BOOST_TEST(!fs::exists(elsewhere));
  for (const auto& [file, content] : contents(data))
    BOOST_TEST((file.ends_with("lock.mdb") || file.ends_with("owner") || before[file] == content),
               file);
  // A node does not begin to deliver anew what it cannot read.
  auto journal = tool::test::journal_in(data);
  auto opened = subscription_store::open("mails", {.directory = data, .sync = false}, *journal);
  BOOST_TEST_REQUIRE(opened.has_error());
  BOOST_TEST((opened.error().kind == storage_error_kind::unusable));
  BOOST_TEST(opened.error().text.find(advice) != std::string::npos, opened.error().text);
}

BOOST_AUTO_TEST_CASE(what_may_only_be_read_is_read_and_not_changed) {
  fill(5);
  if (!can_run_bound())
    return;
  auto id = std::string{};
  BOOST_REQUIRE(journal_reader::open(data).value()->read(
      1, {.events = 1}, [&](const record_view& r) { id = to_string(r.id); }));
  fs::create_directory(directory.path() / "theirs");
  fs::permissions(directory.path() / "theirs", fs::perms{0777});
  set_modes(fs::perms{0500}, fs::perms{0400});
  auto before = contents(data);
  for (auto command : commands((directory.path() / "theirs" / "copy").string())) {
    bool changes = command[1] == "rebuild" || command[1] == "drop" || command[1] == "replay";
    if (command[1] == "trace")
      command[2] = id;
    auto end = run_bound(with_data(command, data.string()));
    if (changes)
      check_one_line(end, command, 2);
    else
      BOOST_TEST(end.code == 0, text_of(command) << end.err);
  }
  words into{"journal",     "restore", "--from",
             data.string(), "--data",  (data / "journal" / "new").string()};
  check_one_line(run_bound(into), into, 2);
  words beside{"journal",     "backup", "--data",
               data.string(), "--to",   (directory.path() / "not theirs").string()};
  check_one_line(run_bound(beside), beside, 2);
  BOOST_TEST((contents(data) == before));
}

BOOST_AUTO_TEST_CASE(what_may_not_be_read_exits_2) {
  fill(5);
  if (!can_run_bound())
    return;
  for (auto [folders, files] :
       {std::pair{fs::perms{0000}, fs::perms{0000}}, std::pair{fs::perms{0500}, fs::perms{0000}}}) {
    set_modes(folders, files);
    for (const auto& command : commands((directory.path() / "copy").string()))
      check_one_line(run_bound(with_data(command, data.string())), command, 2);
  }
  fs::create_directory(directory.path() / "theirs");
  fs::permissions(directory.path() / "theirs", fs::perms{0777});
  // Where a part is closed it is not as if there was none.
  for (const char* part : {"projections", "subscriptions", "projections/sample.things",
                           "projections/sample.things/data.mdb", "subscriptions/mails/data.mdb"}) {
    set_modes(fs::perms{0500}, fs::perms{0400});
    fs::permissions(data / part, fs::perms{0000});
    words verify{"journal", "verify"};
    auto verified = run_bound(with_data(verify, data.string()));
    check_one_line(verified, verify, 2);
    BOOST_TEST(verified.err.find("Mend its permissions") != std::string::npos, verified.err);
    auto copy = (directory.path() / "theirs" / "copy").string();
    words backup{"journal", "backup", "--to", copy};
    auto backed_up = run_bound(with_data(backup, data.string()));
    if (std::string{part}.starts_with("s"))
      check_one_line(backed_up, backup, 2);
    BOOST_TEST(fs::exists(copy) == (backed_up.code == 0));
    fs::remove_all(copy);
    auto list = words{std::string{part}.starts_with("p") ? "projection" : "subscription", "ls"};
    auto listed = run_bound(with_data(list, data.string()));
    BOOST_TEST(listed.code == 2, part);
    BOOST_TEST((listed.out + listed.err).find("Mend its permissions") != std::string::npos, part);
  }
  set_modes(fs::perms{0700}, fs::perms{0600});
}

BOOST_AUTO_TEST_SUITE_END()
