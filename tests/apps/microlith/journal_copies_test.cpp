#include "apps/microlith/tool.hpp"

#include <microlith/persistence/journal_reader.hpp>
#include <microlith/persistence/owner.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <fstream>
#include <thread>

using namespace microlith;
using tool::test::lines_of;
using tool::test::run;
namespace fs = std::filesystem;

namespace {

void append_some(journal& to, int appends) {
  for (int i = 0; i < appends; ++i)
    sample::append_ok(to, sample::to_stream("thing/" + std::to_string(i % 3)));
}

std::string exported(const fs::path& data) {
  return run({"journal", "export", "--data", data.string()}).out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_copies)

BOOST_AUTO_TEST_CASE(a_restored_backup_holds_every_event_and_goes_on) {
  microlith::test::temporary_directory directory;
  auto data = directory.path() / "d";
  auto backup = directory.path() / "backups" / "one";
  auto back = directory.path() / "back";
  {
    auto journal = tool::test::journal_in(data);
    append_some(*journal, 30);
    append_request request;
    request.events.push_back({sample::made(std::string(20'000, 'x'))});
    sample::append_ok(*journal, std::move(request));
  }
  BOOST_TEST(run({"journal", "backup", "--data", data.string(), "--to", backup.string()}).code ==
             0);
  BOOST_TEST(run({"journal", "restore", "--from", backup.string(), "--data", back.string()}).code ==
             0);
  // What they say of it as JSON.
  auto other = (directory.path() / "other").string();
  for (const auto& arguments :
       {std::vector<std::string>{"backup", "--data", data.string(), "--to", other},
        {"restore", "--from", other, "--data", (directory.path() / "more").string()}}) {
    std::vector<std::string> all{"journal"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.emplace_back("--json");
    auto json = boost::json::parse(run(all).out);
    BOOST_TEST(json.at("events").as_int64() == 31);
    BOOST_TEST(json.at("subscriptions").as_int64() == 0);
    BOOST_TEST(json.at("epoch").as_string().size() == 36U);
  }
  for (const auto& copy : {backup, back}) {
    BOOST_TEST((exported(copy) == exported(data)));
    auto end = run({"journal", "verify", "--data", copy.string()});
    BOOST_TEST(end.code == 0);
    BOOST_TEST(end.out.find("witness") == std::string::npos);
  }
  auto journal = tool::test::journal_in(back);
  BOOST_TEST(journal->last_position() == 31U);
  append_some(*journal, 1);
  BOOST_TEST(journal->stream_version("thing/0").value() == 11U);
}

BOOST_AUTO_TEST_CASE(a_restored_journal_has_an_epoch_of_its_own) {
  microlith::test::temporary_directory directory;
  auto data = directory.path() / "d";
  auto backup = directory.path() / "backup";
  {
    auto journal = tool::test::journal_in(data);
    append_some(*journal, 5);
    BOOST_TEST(run({"journal", "backup", "--data", data.string(), "--to", backup.string()}).code ==
               0);
    // The index gets ahead of the backup.
    append_some(*journal, 5);
    BOOST_REQUIRE(journal->merge_now());
  }
  auto before = journal_reader::open(data).value()->epoch();
  BOOST_TEST((journal_reader::open(backup).value()->epoch() == before));
  fs::remove_all(data / "journal");
  BOOST_TEST(run({"journal", "restore", "--from", backup.string(), "--data", data.string()}).code ==
             0);
  BOOST_TEST((journal_reader::open(data).value()->epoch() != before));
  BOOST_TEST(run({"journal", "verify", "--data", data.string()}).code == 0);
  auto journal = tool::test::journal_in(data);
  BOOST_TEST(journal->stream_version("thing/0").value() == 2U);
}

BOOST_AUTO_TEST_CASE(nothing_is_overwritten) {
  microlith::test::temporary_directory directory;
  auto data = directory.path() / "d";
  auto backup = directory.path() / "backup";
  auto other = directory.path() / "other";
  append_some(*tool::test::journal_in(data), 3);
  append_some(*tool::test::journal_in(other), 4);
  BOOST_TEST(run({"journal", "backup", "--data", data.string(), "--to", backup.string()}).code ==
             0);
  auto again = run({"journal", "backup", "--data", other.string(), "--to", backup.string()});
  BOOST_TEST(again.code == 2);
  BOOST_TEST(again.err.find("there is something already") != std::string::npos);
  auto over = run({"journal", "restore", "--from", backup.string(), "--data", other.string()});
  BOOST_TEST(over.code == 2);
  BOOST_TEST(over.err.find("not overwritten") != std::string::npos);
  BOOST_TEST(lines_of(exported(other)).size() == 4U);
  BOOST_TEST(lines_of(exported(backup)).size() == 3U);
  auto inside = (data / "journal" / "copy").string();
  BOOST_TEST(run({"journal", "backup", "--data", data.string(), "--to", inside}).code == 2);
  BOOST_TEST(!fs::exists(inside));
}

BOOST_AUTO_TEST_CASE(a_directory_that_a_node_owns_is_not_restored_into) {
  microlith::test::temporary_directory directory;
  auto backup = directory.path() / "backup";
  append_some(*tool::test::journal_in(backup), 3);
  auto data = directory.path() / "d";
  auto owner = data_owner::acquire(data);
  BOOST_REQUIRE(owner);
  auto end = run({"journal", "restore", "--from", backup.string(), "--data", data.string()});
  BOOST_TEST(end.code == 2);
  BOOST_TEST(end.err.find("is in use by process") != std::string::npos);
  BOOST_TEST(!fs::exists(data / "journal"));
}

BOOST_AUTO_TEST_CASE(a_backup_beside_a_writing_node_is_one_moment_of_it) {
  microlith::test::temporary_directory directory;
  auto data = directory.path() / "d";
  auto journal = tool::test::journal_in(data);
  append_some(*journal, 100);
  std::atomic<bool> stop{false};
  std::thread writer{[&] {
    while (!stop) {
      auto request = sample::to_stream("thing/busy", 3);
      (void)journal->append(std::span{&request, 1});
    }
  }};
  for (int round = 0; round < 3; ++round) {
    auto backup = directory.path() / std::to_string(round);
    BOOST_TEST(run({"journal", "backup", "--data", data.string(), "--to", backup.string()}).code ==
               0);
    BOOST_TEST(run({"journal", "verify", "--data", backup.string()}).code == 0);
    // Beside the writer nothing is damaged either.
    auto live = run({"journal", "verify", "--data", data.string()});
    BOOST_TEST(live.code == 0, live.out);
    // An append is all or nothing, in a backup too.
    auto last = journal_reader::open(backup).value()->last_position();
    BOOST_TEST((last - 100) % 3 == 0U);
  }
  stop = true;
  writer.join();
}

BOOST_AUTO_TEST_CASE(a_damaged_journal_is_not_backed_up_and_nothing_is_left) {
  microlith::test::temporary_directory directory;
  auto data = directory.path() / "d";
  append_some(*tool::test::journal_in(data), 10);
  {
    std::fstream file{data / "journal" / "data.mdb",
                      std::ios::in | std::ios::out | std::ios::binary};
    std::string all{std::istreambuf_iterator<char>{file}, {}};
    for (auto at = all.find("thing/2"); at != std::string::npos; at = all.find("thing/2", at + 1)) {
      file.seekp(static_cast<std::streamoff>(at));
      file << "thing/8";
    }
  }
  auto backup = directory.path() / "backup";
  auto end = run({"journal", "backup", "--data", data.string(), "--to", backup.string()});
  BOOST_TEST(end.code == 1);
  BOOST_TEST(end.err.find("event 3 ") != std::string::npos);
  BOOST_TEST(!fs::exists(backup));
}

BOOST_AUTO_TEST_CASE(what_is_no_journal_is_neither_backed_up_nor_restored) {
  microlith::test::temporary_directory directory;
  auto nothing = directory.path().string();
  auto to = directory.path() / "to";
  BOOST_TEST(run({"journal", "backup", "--data", nothing, "--to", to.string()}).code == 2);
  BOOST_TEST(run({"journal", "restore", "--from", nothing, "--data", to.string()}).code == 2);
  BOOST_TEST(!fs::exists(to));
}

BOOST_AUTO_TEST_SUITE_END()
