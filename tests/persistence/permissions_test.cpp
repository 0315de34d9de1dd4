// A journal that is there and may not be read or written: refused with a word, and left as it is.

#include "persistence/child.hpp"
#include "persistence/samples.hpp"
#include "persistence/small_disk.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/owner.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

/// Somebody whom permissions hold back. Root they do not: its children become nobody, who owns what
/// he is given.
class plain_user {
 public:
  void own(const fs::path& given) const { change_owner(given, nobody); }
  void give_back(const fs::path& given) const { change_owner(given, 0); }

  /// Runs `f` in a process of his; true where it gave true.
  template <class F>
  [[nodiscard]] bool succeeds(F f) const {
    return in_child([&] { return (!is_root_ || ::setuid(nobody) == 0) && f(); });
  }

 private:
  static constexpr uid_t nobody = 65'534;

  void change_owner(const fs::path& of, uid_t to) const {
    BOOST_REQUIRE(!is_root_ || ::chown(of.c_str(), to, to) == 0);
  }

  bool is_root_ = ::geteuid() == 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(permissions)

BOOST_AUTO_TEST_CASE(a_file_system_that_may_only_be_read_is_refused_with_a_word) {
  test::temporary_directory directory;
  small_disk disk{directory.path() / "disk"};
  if (!disk)
    return;
  auto options = journal_options{.directory = disk.path() / "data"};
  auto refused = [&] {
    auto opened = journal::open(options);
    BOOST_TEST_REQUIRE(opened.has_error());
    BOOST_TEST((opened.error().kind == storage_error_kind::unusable));
    BOOST_TEST(opened.error().text.find("Mend the cause") != std::string::npos,
               opened.error().text);
    auto owner = data_owner::acquire(options.directory);
    BOOST_TEST_REQUIRE(owner.has_error());
    BOOST_TEST((owner.error().kind == storage_error_kind::unusable));
  };
  disk.make_read_only(true);
  refused();
  disk.make_read_only(false);
  auto request = to_stream("s");
  append_ok(*open_journal(options), request);
  disk.make_read_only(true);
  refused();
  disk.make_read_only(false);
  check_holds(*open_journal(options), {request.id});
}

BOOST_AUTO_TEST_CASE(a_directory_that_may_only_be_read_is_refused_and_stays_as_it_is) {
  test::temporary_directory directory;
  auto data = directory.path() / "data";
  auto request = to_stream("s");
  append_ok(*open_journal({.directory = data}), request);
  plain_user user;
  std::vector<fs::path> all{directory.path(), data};
  for (const auto& entry : fs::recursive_directory_iterator{data})
    all.push_back(entry.path());
  auto set_modes = [&](bool writable) {
    for (const auto& path : all) {
      auto read_only = fs::is_directory(path) ? fs::perms{0500} : fs::perms{0400};
      fs::permissions(path, writable ? fs::perms{0700} : read_only);
      writable ? user.give_back(path) : user.own(path);
    }
  };
  set_modes(false);
  BOOST_TEST(user.succeeds([&] {
    auto opened = journal::open({.directory = data});
    auto fresh = journal::open({.directory = directory.path() / "other"});
    return !opened && opened.error().kind == storage_error_kind::unusable && !fresh &&
           fresh.error().kind == storage_error_kind::unusable;
  }));
  BOOST_TEST((fs::status(data / "journal").permissions() == fs::perms{0500}));
  set_modes(true);
  check_holds(*open_journal({.directory = data}), {request.id});
}

// Somebody else's files, say, in a folder that may be written to.
BOOST_AUTO_TEST_CASE(a_journal_that_may_not_be_read_is_refused_and_not_begun_anew) {
  test::temporary_directory directory;
  auto data = directory.path() / "data";
  auto request = to_stream("s");
  append_ok(*open_journal({.directory = data}), request);
  plain_user user;
  std::vector<fs::path> folders{directory.path(), data};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator{data})
    (entry.is_directory() ? folders : files).push_back(entry.path());
  for (const auto& folder : folders)
    user.own(folder);
  for (const auto& file : files)
    fs::permissions(file, fs::perms{0000});
  BOOST_TEST(user.succeeds([&] {
    auto opened = journal::open({.directory = data});
    return !opened && opened.error().kind == storage_error_kind::unusable &&
           opened.error().text.find((data / "journal" / "data.mdb").string()) !=
               std::string::npos &&
           opened.error().text.find("Mend the cause") != std::string::npos;
  }));
  for (const auto& folder : folders)
    user.give_back(folder);
  for (const auto& file : files)
    fs::permissions(file, fs::perms{0600});
  check_holds(*open_journal({.directory = data}), {request.id});
}

BOOST_AUTO_TEST_CASE(what_is_no_file_in_the_place_of_one_is_refused_and_stays) {
  test::temporary_directory directory;
  auto place = directory.path() / "journal" / "data.mdb";
  fs::create_directories(place);
  auto opened = journal::open({.directory = directory.path()});
  BOOST_TEST_REQUIRE(opened.has_error());
  BOOST_TEST((opened.error().kind == storage_error_kind::unusable));
  BOOST_TEST(opened.error().text.find(place.string()) != std::string::npos, opened.error().text);
  BOOST_TEST(fs::is_directory(place));
  BOOST_TEST(!fs::exists(directory.path() / "journal" / "new"));
}

BOOST_AUTO_TEST_SUITE_END()
