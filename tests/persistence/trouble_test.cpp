// What the machine may put in a journal's way: a clear failure each, nothing lost, and all is well
// when the cause is gone.

#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/owner.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

/// A small file system in memory; only root may have one.
class small_disk {
 public:
  explicit small_disk(fs::path at) : at_{std::move(at)} {
    fs::create_directories(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=2m") == 0;
    if (!mounted_)
      BOOST_TEST_MESSAGE("skipped: only root can make a small file system");
  }
  ~small_disk() {
    if (mounted_)
      ::umount2(at_.c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  [[nodiscard]] explicit operator bool() const { return mounted_; }
  [[nodiscard]] const fs::path& path() const { return at_; }

  void make_read_only(bool read_only) {
    unsigned long flags = MS_REMOUNT;
    if (read_only)
      flags |= MS_RDONLY;
    BOOST_TEST_REQUIRE(::mount("tmpfs", at_.c_str(), "tmpfs", flags, "size=2m") == 0);
  }

  /// Takes all the room that is left, or gives it back.
  void fill() const {
    std::ofstream ballast{at_ / "ballast", std::ios::binary | std::ios::app};
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void empty() const { fs::remove(at_ / "ballast"); }

 private:
  fs::path at_;
  bool mounted_ = false;
};

/// Runs `f` in a process of its own; how that ended.
template <class F>
pid_t start(F f) {
  auto child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child != 0)
    return child;
  ::alarm(60);
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT})
    ::signal(signal, SIG_DFL);
  bool fine = false;
  try {
    fine = f();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "in a child: %s\n", error.what());
  }
  ::_exit(fine ? 0 : 1);
}

int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// A `read` that gives one byte, from a pipe.
class signal_line {
 public:
  signal_line() { BOOST_TEST_REQUIRE(::pipe(ends_) == 0); }
  ~signal_line() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void give() const { BOOST_REQUIRE(::write(ends_[1], "!", 1) == 1); }
  [[nodiscard]] bool take() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1;
  }

 private:
  int ends_[2];
};

append_request event_of(std::size_t bytes) {
  append_request request;
  request.id = message_id::make();
  request.events.push_back({made(std::string(bytes, 'x')), "big"});
  return request;
}

/// Appends until it is refused for want of room; the ids of what was taken.
std::optional<failure> append_until_refused(journal& to, std::set<message_id>& taken,
                                            std::size_t bytes, int at_most = 20'000) {
  for (int i = 0; i < at_most; ++i) {
    auto request = event_of(bytes);
    auto outcome = append_one(to, request);
    if (auto* refused = std::get_if<append_refused>(&outcome))
      return refused->why;
    BOOST_TEST_REQUIRE(std::holds_alternative<appended>(outcome));
    taken.insert(request.id);
  }
  return std::nullopt;
}

void check_holds(const journal& j, const std::set<message_id>& taken) {
  std::set<message_id> found;
  std::uint64_t position = 0;
  auto all = j.read(1, {.events = ~std::uint64_t{0}, .bytes = ~std::uint64_t{0}},
                    [&](const record_view& r) {
                      BOOST_TEST(r.position == ++position);
                      found.insert(r.append);
                    });
  BOOST_TEST((all && position == j.last_position()));
  BOOST_TEST((found == taken));
}

void check_no_room(const std::optional<failure>& why) {
  BOOST_TEST_REQUIRE(why.has_value());
  BOOST_TEST((why->kind == failure_kind::overloaded));
  BOOST_TEST((why->certainty == certainty::not_done));
  BOOST_TEST(why->text.find("Make room") != std::string::npos, why->text);
}

struct size_row {
  std::uint64_t events = 0;
};
BOOST_DESCRIBE_STRUCT(size_row, (), (events))
constexpr table<std::string, size_row> sizes{"sizes"};

projection counting() {
  projection p{"trouble.sizes", 1};
  p.keeps(sizes);
  p.on<thing_made_event>([](const thing_made_event&, const event_info& info, write_transaction& t) {
    auto row = sizes.get(t, "all").value_or(size_row{});
    sizes.put(t, "all", {row.events + 1});
    // Rows take room, too.
    sizes.put(t, std::to_string(info.position), {info.position});
  });
  return p;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trouble)

BOOST_AUTO_TEST_CASE(a_full_file_system_refuses_and_heals) {
  test::temporary_directory directory;
  small_disk disk{directory.path() / "disk"};
  if (!disk)
    return;
  auto options = journal_options{.directory = disk.path() / "data", .merge_threshold = 16};
  std::set<message_id> taken;
  {
    auto j = open_journal(options);
    auto store = projection_store::open(counting(), {.directory = options.directory}, *j);
    BOOST_TEST_REQUIRE(store.has_value());
    for (int i = 0; i < 10; ++i) {
      auto request = event_of(100);
      taken.insert(request.id);
      append_ok(*j, request);
    }
    BOOST_TEST((*store)->catch_up(*j).has_value());
    disk.fill();
    check_no_room(append_until_refused(*j, taken, 600));
    check_no_room(append_until_refused(*j, taken, 600));
    // The projection says so, too, where it has come to that, and does not stop for good.
    while ((*store)->checkpoint() < j->last_position()) {
      auto progress = (*store)->catch_up(*j, 1);
      if (progress.has_error()) {
        BOOST_TEST((progress.error().kind == storage_error_kind::full), progress.error().text);
        break;
      }
    }
    check_holds(*j, taken);

    disk.empty();
    for (int i = 0; i < 40; ++i) {
      auto request = event_of(100);
      taken.insert(request.id);
      append_ok(*j, request);
    }
    while ((*store)->checkpoint() < j->last_position())
      BOOST_TEST_REQUIRE((*store)->catch_up(*j).has_value());
    BOOST_TEST(j->merge_now().has_value());
    check_holds(*j, taken);
    (*store)->read([&](const read_transaction& t) {
      BOOST_TEST(sizes.get(t, "all")->events == taken.size());
    });
  }
  check_holds(*open_journal(options), taken);
}

BOOST_AUTO_TEST_CASE(opening_on_a_full_file_system_is_an_error_and_no_signal) {
  test::temporary_directory directory;
  small_disk disk{directory.path() / "disk"};
  if (!disk)
    return;
  auto options = journal_options{.directory = disk.path() / "data"};
  auto child = start([&] {
    disk.fill();
    auto opened = journal::open(options);
    return !opened && opened.error().kind == storage_error_kind::full &&
           opened.error().text.find("Make room") != std::string::npos;
  });
  BOOST_TEST(end_of(child) == 0);
  disk.empty();
  std::set<message_id> taken;
  {
    auto j = open_journal(options);
    auto request = event_of(100);
    taken.insert(request.id);
    append_ok(*j, request);
  }
  // What is there already opens, or says that there is no room for the rest.
  child = start([&] {
    fs::remove_all(options.directory / "index");
    fs::remove(options.directory / "journal" / "lock.mdb");
    disk.fill();
    auto opened = journal::open(options);
    return !opened && opened.error().text.find("ake room") != std::string::npos;
  });
  BOOST_TEST(end_of(child) == 0);
  disk.empty();
  check_holds(*open_journal(options), taken);
}

BOOST_AUTO_TEST_CASE(a_reader_that_never_lets_go_fills_the_map_until_it_has_gone) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .map_limit_bytes = 512 * 1024, .merge_in_background = false};
  signal_line may_begin;
  signal_line has_begun;
  // Before this process has opened the journal, which must not be used across a fork.
  auto reader = start([&] {
    if (!may_begin.take())
      return false;
    internal::environment env{directory.path() / "journal",
                              {.map_bytes = 512 * 1024, .max_tables = 4}};
    internal::lmdb_transaction view{env, internal::lmdb_transaction::access::read};
    has_begun.give();
    ::pause();
    return true;
  });
  auto j = open_journal(options);
  std::set<message_id> taken;
  for (int i = 0; i < 20; ++i) {
    auto request = event_of(10);
    taken.insert(request.id);
    append_ok(*j, request);
  }
  may_begin.give();
  BOOST_TEST_REQUIRE(has_begun.take());
  auto before = taken.size();
  check_no_room(append_until_refused(*j, taken, 10));
  auto with_reader = taken.size() - before;
  check_holds(*j, taken);

  ::kill(reader, SIGKILL);
  BOOST_TEST(WIFSIGNALED(end_of(reader)));
  // The pages that it held are used again: there is room for many more than it let through.
  BOOST_TEST(!append_until_refused(*j, taken, 10, static_cast<int>(2 * with_reader)).has_value());
  check_holds(*j, taken);
}

BOOST_AUTO_TEST_CASE(a_second_process_that_appends_stops_the_first_and_spoils_nothing) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .merge_in_background = false};
  signal_line may_begin;
  std::set<message_id> taken;
  auto theirs = event_of(10);
  auto other = start([&] {
    if (!may_begin.take())
      return false;
    auto j = journal::open(options);
    return j && std::holds_alternative<appended>(append_one(**j, theirs));
  });
  {
    auto j = open_journal(options);
    auto request = event_of(10);
    taken.insert(request.id);
    append_ok(*j, request);
    may_begin.give();
    BOOST_TEST(end_of(other) == 0);
    taken.insert(theirs.id);
    for (int i = 0; i < 2; ++i) {
      auto outcome = append_one(*j, event_of(10));
      BOOST_TEST_REQUIRE(std::holds_alternative<append_refused>(outcome));
      const auto& why = std::get<append_refused>(outcome).why;
      BOOST_TEST((why.kind == failure_kind::handler_failed));
      BOOST_TEST((why.certainty == certainty::not_done));
      BOOST_TEST(why.text.find("start it again") != std::string::npos, why.text);
    }
  }
  auto j = open_journal(options);
  check_holds(*j, taken);
  append_ok(*j, event_of(10));
}

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
  auto request = event_of(10);
  append_ok(*open_journal(options), request);
  disk.make_read_only(true);
  refused();
  disk.make_read_only(false);
  check_holds(*open_journal(options), {request.id});
}

BOOST_AUTO_TEST_CASE(a_directory_that_may_only_be_read_is_refused_and_stays_as_it_is) {
  test::temporary_directory directory;
  auto data = directory.path() / "data";
  auto request = event_of(10);
  append_ok(*open_journal({.directory = data}), request);
  constexpr uid_t nobody = 65'534;
  bool is_root = ::geteuid() == 0;
  std::vector<fs::path> all{directory.path(), data};
  for (const auto& entry : fs::recursive_directory_iterator{data})
    all.push_back(entry.path());
  auto set_modes = [&](bool writable) {
    for (const auto& path : all) {
      auto read_only = fs::is_directory(path) ? fs::perms{0500} : fs::perms{0400};
      fs::permissions(path, writable ? fs::perms{0700} : read_only);
      if (is_root)
        BOOST_REQUIRE(::chown(path.c_str(), writable ? 0 : nobody, writable ? 0 : nobody) == 0);
    }
  };
  set_modes(false);
  auto child = start([&] {
    if (is_root && ::setuid(nobody) != 0)
      return false;
    auto opened = journal::open({.directory = data});
    auto fresh = journal::open({.directory = directory.path() / "other"});
    return !opened && opened.error().kind == storage_error_kind::unusable && !fresh &&
           fresh.error().kind == storage_error_kind::unusable;
  });
  BOOST_TEST(end_of(child) == 0);
  BOOST_TEST((fs::status(data / "journal").permissions() == fs::perms{0500}));
  set_modes(true);
  check_holds(*open_journal({.directory = data}), {request.id});
}

// Somebody else's files, say, in a folder that may be written to.
BOOST_AUTO_TEST_CASE(a_journal_that_may_not_be_read_is_refused_and_not_begun_anew) {
  test::temporary_directory directory;
  auto data = directory.path() / "data";
  auto request = event_of(10);
  append_ok(*open_journal({.directory = data}), request);
  constexpr uid_t nobody = 65'534;
  bool is_root = ::geteuid() == 0;
  std::vector<fs::path> folders{directory.path(), data};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator{data})
    (entry.is_directory() ? folders : files).push_back(entry.path());
  auto give_folders_to = [&](uid_t user) {
    for (const auto& folder : folders)
      BOOST_REQUIRE(!is_root || ::chown(folder.c_str(), user, user) == 0);
  };
  give_folders_to(nobody);
  for (const auto& file : files)
    fs::permissions(file, fs::perms{0000});
  auto child = start([&] {
    if (is_root && ::setuid(nobody) != 0)
      return false;
    auto opened = journal::open({.directory = data});
    return !opened && opened.error().kind == storage_error_kind::unusable &&
           opened.error().text.find((data / "journal" / "data.mdb").string()) !=
               std::string::npos &&
           opened.error().text.find("Mend the cause") != std::string::npos;
  });
  BOOST_TEST(end_of(child) == 0);
  give_folders_to(::geteuid());
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
