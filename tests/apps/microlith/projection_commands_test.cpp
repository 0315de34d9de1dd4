#include "apps/microlith/tool.hpp"
#include "persistence/thing_rows.hpp"

#include <microlith/persistence/owner.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

using namespace microlith;
using tool::test::run;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<projection_store> store_in(const fs::path& data, const journal& source) {
  auto opened =
      projection_store::open(sample::thing_rows(), {.directory = data, .sync = false}, source);
  BOOST_REQUIRE(opened);
  return std::move(*opened);
}

/// Three rows, up to date.
class data_directory {
 public:
  data_directory() {
    auto journal = tool::test::journal_in(path());
    for (int i = 0; i < 6; ++i)
      sample::append_ok(*journal, sample::to_stream("thing/" + std::to_string(i % 3)));
    BOOST_REQUIRE(store_in(path(), *journal)->catch_up(*journal));
  }
  [[nodiscard]] fs::path path() const { return directory_.path() / "d"; }
  [[nodiscard]] std::string text() const { return path().string(); }

 private:
  microlith::test::temporary_directory directory_;
};

boost::json::value listed(const data_directory& data) {
  auto end = run({"projection", "ls", "--data", data.text(), "--json"});
  BOOST_TEST(end.code == 0);
  return boost::json::parse(end.out);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(projection_commands)

BOOST_AUTO_TEST_CASE(ls_shows_how_far_they_are) {
  data_directory data;
  auto one = listed(data).at(0);
  BOOST_TEST(one.at("name").as_string() == "sample.things");
  BOOST_TEST(one.at("rows").as_int64() == 3);
  BOOST_TEST(one.at("checkpoint").as_int64() == 6);
  BOOST_TEST(one.at("behind").as_int64() == 0);
  sample::append_ok(*tool::test::journal_in(data.path()), sample::to_stream("thing/new"));
  BOOST_TEST(listed(data).at(0).at("behind").as_int64() == 1);
  auto line = run({"projection", "ls", "--data", data.text()}).out;
  BOOST_TEST(line.find("1 events behind") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rebuild_marks_and_the_mark_is_gone_when_it_is_done) {
  data_directory data;
  BOOST_TEST(run({"projection", "rebuild", "sample.things", "--data", data.text()}).code == 0);
  BOOST_TEST(listed(data).at(0).at("to_be_rebuilt").as_bool());
  for (const auto& entry : fs::recursive_directory_iterator{data.path() / "projections"})
    BOOST_TEST((entry.is_directory() || entry.status().permissions() == fs::perms{0600}),
               entry.path());
  auto journal = tool::test::journal_in(data.path());
  auto store = store_in(data.path(), *journal);
  BOOST_TEST(store->rebuild_wanted());
  BOOST_TEST(store->checkpoint() == 6U);  // the old rows are still there
  BOOST_REQUIRE(store->rebuild(*journal));
  BOOST_TEST(!store->rebuild_wanted());
  BOOST_TEST(!listed(data).at(0).at("to_be_rebuilt").as_bool());
}

BOOST_AUTO_TEST_CASE(drop_throws_the_rows_away_and_they_are_derived_again) {
  data_directory data;
  BOOST_TEST(run({"projection", "drop", "sample.things", "--data", data.text()}).code == 0);
  BOOST_TEST(listed(data).as_array().empty());
  auto journal = tool::test::journal_in(data.path());
  auto store = store_in(data.path(), *journal);
  BOOST_TEST(store->checkpoint() == 0U);
  BOOST_REQUIRE(store->catch_up(*journal));
  BOOST_TEST(store->checkpoint() == 6U);
}

BOOST_AUTO_TEST_CASE(a_running_node_is_not_interfered_with) {
  data_directory data;
  auto owner = data_owner::acquire(data.path());
  for (const char* command : {"rebuild", "drop"}) {
    auto end = run({"projection", command, "sample.things", "--data", data.text()});
    BOOST_TEST(end.code == 2);
    BOOST_TEST(end.err.find("is in use by process") != std::string::npos);
  }
  BOOST_TEST(!listed(data).at(0).at("to_be_rebuilt").as_bool());
}

BOOST_AUTO_TEST_CASE(names_that_lead_elsewhere_are_refused) {
  data_directory data;
  for (const char* name : {"", ".", "..", "../journal", "sample", "/etc", "sample.things/.."})
    BOOST_TEST(run({"projection", "drop", name, "--data", data.text()}).code == 2, name);
  BOOST_TEST(fs::exists(data.path() / "journal" / "data.mdb"));
  BOOST_TEST(listed(data).as_array().size() == 1U);
  auto nowhere = (data.path() / "none").string();
  BOOST_TEST(run({"projection", "drop", "sample.things", "--data", nowhere}).code == 2);
  BOOST_TEST(run({"projection", "ls", "--data", nowhere}).code == 2);
  BOOST_TEST(!fs::exists(nowhere));
}

BOOST_AUTO_TEST_SUITE_END()
