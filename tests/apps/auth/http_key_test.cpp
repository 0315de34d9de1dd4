#include "auth/http_key.hpp"

#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <thread>
#include <vector>

using microlith::storage_error_kind;
using microlith::test::temporary_directory;

namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_key)

BOOST_AUTO_TEST_CASE(a_directory_keeps_its_key_for_its_owner_only) {
  temporary_directory data;
  auto made = auth::http_key::open(data.path());
  BOOST_TEST_REQUIRE(made.has_value());
  auto file = data.path() / "http-key";
  BOOST_TEST(contents(file).size() == 32U);
  using std::filesystem::perms;
  BOOST_TEST(
      (std::filesystem::status(file).permissions() == (perms::owner_read | perms::owner_write)));
  // Nothing else is left behind.
  using entries = std::filesystem::directory_iterator;
  BOOST_TEST(std::distance(entries{data.path()}, entries{}) == 1);

  auto again = auth::http_key::open(data.path());
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(again->hash({"text"}) == made->hash({"text"}));
}

BOOST_AUTO_TEST_CASE(all_that_make_the_key_at_once_get_the_same) {
  for (int round = 0; round < 10; ++round) {
    temporary_directory data;
    std::vector<std::string> hashes(4);
    std::vector<std::thread> all;
    for (auto& hash : hashes) {
      all.emplace_back([&] {
        auto key = auth::http_key::open(data.path());
        hash = key ? key->hash({"text"}) : key.error().text;
      });
    }
    for (auto& each : all)
      each.join();
    BOOST_TEST((std::set(hashes.begin(), hashes.end()).size() == 1U), hashes.front());
    BOOST_TEST(hashes.front() == auth::http_key::open(data.path())->hash({"text"}));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_named_and_left_as_it_is) {
  for (const auto& damage : {std::string{}, std::string(31, 'x'), std::string(33, 'x')}) {
    temporary_directory data;
    auto file = data.path() / "http-key";
    std::ofstream{file} << damage;
    auto key = auth::http_key::open(data.path());
    BOOST_TEST_REQUIRE(key.has_error());
    BOOST_TEST((key.error().kind == storage_error_kind::damaged));
    BOOST_TEST(key.error().text.find(file.string()) != std::string::npos, key.error().text);
    BOOST_TEST(contents(file) == damage);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_no_key) {
  temporary_directory data;
  std::filesystem::create_directory(data.path() / "http-key");
  BOOST_TEST((auth::http_key::open(data.path()).error().kind == storage_error_kind::damaged));
  std::filesystem::remove(data.path() / "http-key");
  BOOST_TEST_REQUIRE(::mkfifo((data.path() / "http-key").c_str(), 0600) == 0);
  BOOST_TEST((auth::http_key::open(data.path()).error().kind == storage_error_kind::damaged));
  BOOST_TEST(
      (auth::http_key::open(data.path() / "absent").error().kind == storage_error_kind::unusable));
}

BOOST_AUTO_TEST_CASE(hashes_depend_on_the_key_and_on_where_each_part_ends) {
  auto key = auth::http_key::make();
  BOOST_TEST(key.hash({"ab", "c"}).size() == 64U);
  BOOST_TEST(key.hash({"ab", "c"}) == key.hash({"ab", "c"}));
  BOOST_TEST(key.hash({"ab", "c"}) != key.hash({"a", "bc"}));
  BOOST_TEST(key.hash({"abc", ""}) != key.hash({"abc"}));
  BOOST_TEST(key.hash({"ab", "c"}) != auth::http_key::make().hash({"ab", "c"}));
}

BOOST_AUTO_TEST_SUITE_END()
