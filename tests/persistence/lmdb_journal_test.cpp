#include "persistence/child.hpp"
#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace sample {

struct thing_made_event_2 {
  using message = microlith::event<"sample.thing_made_event", 2>;
  using previous = thing_made_event;
  std::string name;
  std::uint32_t size = 0;
  std::string color;
};
BOOST_DESCRIBE_STRUCT(thing_made_event_2, (), (name, size, color))

thing_made_event_2 upcast(thing_made_event old) {
  return {std::move(old.name), old.size, "grey"};
}

}  // namespace sample

namespace {

using namespace microlith;
using namespace sample;

struct thing_made_differently {
  using message = microlith::event<"sample.thing_made_event">;
  std::string name;
  std::string size;
};
BOOST_DESCRIBE_STRUCT(thing_made_differently, (), (name, size))

template <class... Events>
type_catalog catalog_of() {
  type_catalog catalog;
  bool added = (catalog.add<Events>().has_value() && ...);
  BOOST_REQUIRE(added);
  return catalog;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lmdb_journal)

BOOST_AUTO_TEST_CASE(what_was_appended_is_there_after_opening_again) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path()};
  message_id epoch;
  auto request = to_stream("a", 3);
  {
    auto j = open_journal(options);
    epoch = j->epoch();
    append_ok(*j, request);
    append_ok(*j, to_stream("b", 1));
  }
  auto j = open_journal(options);
  BOOST_TEST((j->epoch() == epoch));
  BOOST_TEST(j->last_position() == 4U);
  BOOST_TEST(*j->stream_version("a") == 3U);
  BOOST_TEST(std::holds_alternative<already_appended>(append_one(*j, request)));
  BOOST_TEST((append_ok(*j, to_stream("a", 1, expected_version::exactly(3))) == appended{5, 5}));
  BOOST_TEST(everything_in(*j) ==
                 (std::vector<std::string>{"1 a@1 a", "2 a@2 a", "3 a@3 a", "4 b@1 b", "5 a@4 a"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(data_files_are_for_their_owner_alone) {
  test::temporary_directory directory;
  auto old = ::umask(0);
  auto options = journal_options{
      .directory = directory.path() / "data", .merge_threshold = 1, .merge_in_background = false};
  auto j = open_journal(options);
  append_ok(*j, to_stream("a", 3));
  BOOST_TEST(j->merge_now().has_value());
  ::umask(old);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator{directory.path() / "data"}) {
    auto expected = entry.is_directory() ? 0700U : 0600U;
    BOOST_TEST(static_cast<unsigned>(entry.status().permissions()) == expected, entry.path());
    files += entry.is_regular_file() ? 1 : 0;
  }
  BOOST_TEST(files == 5);  // two environments and the witness
}

BOOST_AUTO_TEST_CASE(a_process_killed_while_appending_loses_nothing_acknowledged) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .merge_threshold = 8};
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    BOOST_TEST_REQUIRE(::pipe(pipe_ends) == 0);
    auto child = start_child([&] {
      auto opened = journal::open(options);
      for (std::uint32_t i = 0; opened; ++i) {
        auto request = to_stream("s" + std::to_string(i % 4), 1 + i % 3);
        auto outcome = append_one(**opened, request);
        if (!std::holds_alternative<appended>(outcome) ||
            ::write(pipe_ends[1], &request.id, sizeof request.id) != sizeof request.id)
          return false;
      }
      return false;
    });
    ::close(pipe_ends[1]);
    std::vector<message_id> acknowledged;
    message_id id;
    auto wanted = static_cast<std::size_t>(5 + round * 7);
    while (acknowledged.size() < wanted && ::read(pipe_ends[0], &id, sizeof id) == sizeof id)
      acknowledged.push_back(id);
    ::kill(child, SIGKILL);
    while (::read(pipe_ends[0], &id, sizeof id) == sizeof id)
      acknowledged.push_back(id);
    ::close(pipe_ends[0]);
    BOOST_TEST(WIFSIGNALED(end_of(child)));
    BOOST_TEST(acknowledged.size() >= wanted);

    auto j = open_journal(options);
    std::set<message_id> appends;
    std::map<std::string, std::uint64_t> versions;
    std::uint64_t position = 0;
    auto all = j->read(1, {.events = 1'000'000}, [&](const record_view& r) {
      BOOST_TEST(r.position == ++position);
      BOOST_TEST(r.stream_version == ++versions[std::string{r.stream}]);
      appends.insert(r.append);
    });
    BOOST_TEST((all && position == j->last_position()));
    for (auto known : acknowledged) {
      BOOST_TEST(appends.contains(known));
      BOOST_TEST(j->append_of(known)->has_value());
    }
    for (const auto& [stream, version] : versions)
      BOOST_TEST(*j->stream_version(stream) == version);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_layout_without_a_new_version_stops_the_start) {
  test::temporary_directory directory;
  append_ok(*open_journal({.directory = directory.path()}), to_stream("a"));
  auto error =
      open_error({.directory = directory.path(), .catalog = catalog_of<thing_made_differently>()});
  BOOST_TEST((error.kind == storage_error_kind::schema_changed));
  BOOST_TEST(error.text.find("sample.thing_made_event version 1") != std::string::npos);
  BOOST_TEST(error.text.find("size: u32 -> string") != std::string::npos, error.text);
  // With a new version and an upcaster it is read.
  auto catalog = catalog_of<thing_made_event_2>();
  auto j = open_journal({.directory = directory.path(), .catalog = catalog});
  (void)j->read(1, {}, [&](const record_view& r) {
    auto event = to_envelope(r, catalog);
    BOOST_TEST_REQUIRE(event.has_value());
    BOOST_TEST(event->get_if<thing_made_event_2>()->color == "grey");
  });
  append_request newer;
  newer.events.push_back({message_of(thing_made_event_2{"a", 1, "red"}), ""});
  append_ok(*j, newer);
  BOOST_TEST(j->types().size() == 2U);
  // A program that is older than the journal does not start.
  j.reset();
  error = open_error({.directory = directory.path(), .catalog = catalog_of<thing_made_event>()});
  BOOST_TEST((error.kind == storage_error_kind::schema_changed));
  BOOST_TEST(error.text.find("start a newer program") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_event_whose_layout_differs_from_what_is_stored_is_refused) {
  test::temporary_directory directory;
  auto j = open_journal({.directory = directory.path()});
  append_ok(*j, to_stream("a"));
  append_request other;
  other.events.push_back({message_of(thing_made_differently{"a", "b"}), ""});
  auto outcome = append_one(*j, other);
  BOOST_TEST_REQUIRE(std::holds_alternative<append_refused>(outcome));
  BOOST_TEST(std::get<append_refused>(outcome).why.text.find("size") != std::string::npos);
  append_ok(*j, to_stream("a"));
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_used_is_an_error_that_names_it) {
  auto error = open_error({.directory = "/dev/null/data"});
  BOOST_TEST((error.kind == storage_error_kind::unusable));
  BOOST_TEST(error.text.find("/dev/null/data") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
