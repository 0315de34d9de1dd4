#include "apps/microlith/tool.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

using tool::test::run;

namespace {

std::filesystem::path make_data(const std::filesystem::path& data) {
  auto journal = tool::test::journal_in(data);
  for (int i = 0; i < 20; ++i)
    sample::append_ok(*journal, sample::to_stream("thing/" + std::to_string(i % 3)));
  return data;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(a_whole_journal_exits_0) {
  microlith::test::temporary_directory directory;
  auto end = run({"journal", "verify", "--data", make_data(directory.path() / "d").string()});
  BOOST_TEST(end.code == 0);
  BOOST_TEST(end.out.find("fine: 20 events in 3 streams") != std::string::npos);
  BOOST_TEST(end.err.empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_event_exits_1_and_is_named) {
  microlith::test::temporary_directory directory;
  auto data = make_data(directory.path() / "d");
  {
    std::fstream file{data / "journal" / "data.mdb",
                      std::ios::in | std::ios::out | std::ios::binary};
    std::string all{std::istreambuf_iterator<char>{file}, {}};
    // Also on pages that are no longer in use.
    for (auto at = all.find("thing/1"); at != std::string::npos; at = all.find("thing/1", at + 1)) {
      file.seekp(static_cast<std::streamoff>(at));
      file << "thing/9";
    }
  }
  auto end = run({"journal", "verify", "--data", data.string(), "--json"});
  BOOST_TEST(end.code == 1);
  BOOST_TEST(end.out.find("\"damaged\":true,\"first_damaged_position\":2,") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_exits_1) {
  microlith::test::temporary_directory directory;
  auto data = make_data(directory.path() / "d");
  auto file = data / "journal" / "data.mdb";
  for (std::uintmax_t size : {20'000U, 12'288U, 5'000U, 4'096U, 100U, 0U}) {
    std::filesystem::resize_file(file, size);
    BOOST_TEST(run({"journal", "verify", "--data", data.string()}).code == 1);
  }
  std::filesystem::remove(file);
  BOOST_TEST(run({"journal", "verify", "--data", data.string()}).code == 1);
}

BOOST_AUTO_TEST_CASE(the_program_outlives_what_looks_at_the_files) {
  microlith::test::temporary_directory directory;
  auto data = make_data(directory.path() / "d");
  // The report goes to a file, and the system sends a signal to whoever writes to one; what is said
  // in the end goes where there is no file.
  auto command = "ulimit -f 0; exec '" + tool::test::program.string() +
                 "' journal verify --data '" + data.string() + "' 2>&1 >'" +
                 (directory.path() / "report").string() + "'";
  auto end = microlith::test::child_process{"/bin/sh", {"-c", command}}.wait();
  BOOST_TEST(end.signal == 0);
  BOOST_TEST(end.code == 2);
  BOOST_TEST(end.out.starts_with("microlith: "), end.out);
  BOOST_TEST(end.out.find("was ended by a signal") != std::string::npos, end.out);
}

BOOST_AUTO_TEST_CASE(a_directory_without_a_journal_exits_2) {
  microlith::test::temporary_directory directory;
  for (auto data : {directory.path(), directory.path() / "none"}) {
    auto end = run({"journal", "verify", "--data", data.string()});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.err.find("Name a node's data directory") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
