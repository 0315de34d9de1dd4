// What the machine may put in a journal's way: a clear failure each, nothing lost, and all is well
// when the cause is gone.

#include "persistence/child.hpp"
#include "persistence/samples.hpp"
#include "persistence/small_disk.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/lmdb.hpp>
#include <microlith/persistence/projection_store.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

using namespace microlith;
using namespace sample;
namespace fs = std::filesystem;

namespace {

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
  BOOST_TEST(in_child([&] {
    disk.fill();
    auto opened = journal::open(options);
    return !opened && opened.error().kind == storage_error_kind::full &&
           opened.error().text.find("Make room") != std::string::npos;
  }));
  disk.empty();
  std::set<message_id> taken;
  {
    auto j = open_journal(options);
    auto request = event_of(100);
    taken.insert(request.id);
    append_ok(*j, request);
  }
  // What is there already opens, or says that there is no room for the rest.
  BOOST_TEST(in_child([&] {
    fs::remove_all(options.directory / "index");
    fs::remove(options.directory / "journal" / "lock.mdb");
    disk.fill();
    auto opened = journal::open(options);
    return !opened && opened.error().text.find("ake room") != std::string::npos;
  }));
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
  auto reader = start_child([&] {
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
  auto other = start_child([&] {
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

BOOST_AUTO_TEST_SUITE_END()
