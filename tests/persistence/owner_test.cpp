#include "persistence/child.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/owner.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

using namespace microlith;

BOOST_AUTO_TEST_SUITE(owner)

BOOST_AUTO_TEST_CASE(a_second_owner_is_told_who_has_the_directory) {
  test::temporary_directory directory;
  auto first = data_owner::acquire(directory.path());
  BOOST_TEST_REQUIRE(first.has_value());
  auto second = data_owner::acquire(directory.path());
  BOOST_TEST_REQUIRE(second.has_error());
  BOOST_TEST((second.error().kind == storage_error_kind::owned));
  BOOST_TEST(second.error().text.find("process " + std::to_string(::getpid())) !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_directory_is_free_once_its_owner_is_gone) {
  test::temporary_directory directory;
  {
    auto first = data_owner::acquire(directory.path());
    BOOST_TEST(first.has_value());
  }
  BOOST_TEST(data_owner::acquire(directory.path()).has_value());
  // A process that is killed leaves its number behind, but not the lock.
  auto child = sample::start_child([&] {
    auto owned = data_owner::acquire(directory.path());
    return ::kill(::getpid(), SIGKILL) == 0;
  });
  BOOST_TEST(WIFSIGNALED(sample::end_of(child)));
  BOOST_TEST(data_owner::acquire(directory.path()).has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_is_made_for_its_owner_alone) {
  test::temporary_directory directory;
  auto path = directory.path() / "new" / "data";
  auto owned = data_owner::acquire(path);
  BOOST_TEST_REQUIRE(owned.has_value());
  struct stat status {};
  BOOST_TEST(::stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0700U);
  BOOST_TEST(::stat((path / "owner").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0600U);
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_made_is_an_error_that_names_it) {
  auto owned = data_owner::acquire("/dev/null/data");
  BOOST_TEST_REQUIRE(owned.has_error());
  BOOST_TEST((owned.error().kind == storage_error_kind::unusable));
  BOOST_TEST(owned.error().text.find("/dev/null/data") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
