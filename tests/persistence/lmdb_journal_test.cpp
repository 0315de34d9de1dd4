#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/internal/journal_file.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <thread>
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
namespace fs = std::filesystem;

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

std::string bytes_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void overwrite(const fs::path& file, const std::string& content) {
  std::ofstream{file, std::ios::binary | std::ios::trunc} << content;
}

storage_error open_error(journal_options options) {
  auto opened = journal::open(std::move(options));
  BOOST_REQUIRE(opened.has_error());
  return opened.error();
}

/// What LMDB uses of a data file; behind it there is a hole.
std::size_t used_bytes(const fs::path& file) {
  auto state = microlith::internal::inspect_data_file(file);
  BOOST_REQUIRE((state && state->newest));
  return (state->newest->last_page + 1) * state->newest->page_bytes;
}

/// Runs `f` in a process of its own; true where it came back without an exception.
template <class F>
bool in_child(F f) {
  auto child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
      ::signal(signal, SIG_DFL);
    bool fine = false;
    try {
      fine = f();
    } catch (...) {
    }
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Whether every record that can be read is the one that was written.
bool refused_or_equal(const fs::path& folder, const std::vector<std::string>& expected) {
  auto opened = microlith::internal::journal_file::open(folder, {1 << 20, 1 << 20}, false);
  if (!opened)
    return true;
  if ((*opened)->last_position() != expected.size())
    return false;
  microlith::internal::journal_file::reading records{**opened};
  microlith::internal::parsed_record record;
  for (std::uint64_t position = 1; position <= expected.size(); ++position) {
    if (records.load(position, record))
      continue;
    auto event = decode<thing_made_event>(record.view.body);
    auto text = std::to_string(position) + ' ' + std::string{record.view.stream} + '@' +
                std::to_string(record.view.stream_version) + ' ' + (event ? event->name : "?");
    if (text != expected[position - 1])
      return false;
  }
  return true;
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

BOOST_AUTO_TEST_CASE(a_tail_that_is_not_merged_yet_is_found_again) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 4, .merge_in_background = false};
  message_id last_id;
  {
    auto j = open_journal(options);
    for (int i = 0; i < 30; ++i) {
      append_ok(*j, to_stream("s" + std::to_string(i % 3), 1));
      if (i == 20)
        BOOST_TEST(j->merge_now().has_value());
    }
    auto last = to_stream("s0", 2);
    last_id = last.id;
    append_ok(*j, last);
  }
  auto j = open_journal(options);
  BOOST_TEST(*j->stream_version("s0") == 12U);
  BOOST_TEST((*j->append_of(last_id) == append_positions{31, 32}));
  BOOST_TEST(
      positions_of(*j, "s1") == (std::vector<std::uint64_t>{2, 5, 8, 11, 14, 17, 20, 23, 26, 29}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_index_that_is_lost_is_built_again) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 8, .merge_in_background = false};
  std::vector<append_request> requests;
  {
    auto j = open_journal(options);
    for (int i = 0; i < 50; ++i) {
      requests.push_back(to_stream("s" + std::to_string(i % 7), 3));
      append_ok(*j, requests.back());
    }
  }
  auto check = [&] {
    auto j = open_journal(options);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto found = j->append_of(requests[i].id);
      BOOST_TEST((*found == append_positions{3 * i + 1, 3 * i + 3}));
    }
    BOOST_TEST(positions_of(*j, "s6").size() == 21U);
    BOOST_TEST(*j->stream_version("s0") == 24U);
  };
  check();
  fs::remove_all(directory.path() / "index");
  check();
  // Cut short, and of something else altogether.
  auto index = directory.path() / "index" / "data.mdb";
  fs::resize_file(index, fs::file_size(index) / 2);
  check();
  overwrite(index, std::string(100'000, 'x'));
  check();
}

BOOST_AUTO_TEST_CASE(an_index_of_another_journal_or_ahead_of_this_one_is_not_believed) {
  test::temporary_directory one;
  test::temporary_directory other;
  auto options = [](const fs::path& path) {
    return journal_options{.directory = path, .merge_threshold = 2, .merge_in_background = false};
  };
  auto early = one.path() / "early";
  {
    auto j = open_journal(options(one.path()));
    append_ok(*j, to_stream("a", 1));
    auto k = open_journal(options(other.path()));
    append_ok(*k, to_stream("a", 9));
    BOOST_TEST(k->merge_now().has_value());
  }
  fs::copy(one.path() / "journal", early, fs::copy_options::recursive);
  {
    auto j = open_journal(options(one.path()));
    append_ok(*j, to_stream("a", 5));
    BOOST_TEST(j->merge_now().has_value());
  }
  // A restored journal is behind its index.
  fs::remove_all(one.path() / "journal");
  fs::copy(early, one.path() / "journal", fs::copy_options::recursive);
  BOOST_TEST(*open_journal(options(one.path()))->stream_version("a") == 1U);
  fs::remove_all(one.path() / "index");
  fs::copy(other.path() / "index", one.path() / "index", fs::copy_options::recursive);
  BOOST_TEST(*open_journal(options(one.path()))->stream_version("a") == 1U);
}

BOOST_AUTO_TEST_CASE(merging_in_the_background_loses_nothing_while_others_read) {
  test::temporary_directory directory;
  auto options =
      journal_options{.directory = directory.path(), .merge_threshold = 16, .sync = false};
  auto j = open_journal(options);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  auto reader = [&] {
    for (std::uint64_t round = 0; !done || round < 10; ++round) {
      auto stream = "s" + std::to_string(round % 10);
      auto before = *j->stream_version(stream);
      std::uint64_t next = 1;
      auto read = j->read_stream(stream, 1, {.events = 1'000'000}, [&](const record_view& r) {
        wrong += r.stream != stream || r.stream_version != next++ ? 1 : 0;
      });
      wrong += !read || read->events < before ? 1 : 0;
    }
  };
  std::thread one{reader};
  std::thread two{reader};
  std::vector<append_request> all;
  for (int i = 0; i < 400; ++i) {
    std::vector<append_request> batch;
    for (int k = 0; k < 5; ++k)
      batch.push_back(to_stream("s" + std::to_string((i * 5 + k) % 10), 1));
    for (const auto& outcome : j->append(batch))
      BOOST_TEST(std::holds_alternative<appended>(outcome));
    all.insert(all.end(), batch.begin(), batch.end());
  }
  done = true;
  one.join();
  two.join();
  BOOST_TEST(wrong == 0);
  for (auto again : {false, true}) {
    if (again) {
      j.reset();
      j = open_journal(options);
    }
    for (std::size_t i = 0; i < all.size(); ++i)
      BOOST_TEST((*j->append_of(all[i].id) == append_positions{i + 1, i + 1}));
    for (int s = 0; s < 10; ++s)
      BOOST_TEST(positions_of(*j, "s" + std::to_string(s)).size() == 200U);
  }
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

BOOST_AUTO_TEST_CASE(a_full_map_refuses_what_does_not_fit_and_loses_nothing) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .map_limit_bytes = 256 * 1024};
  std::uint64_t kept = 0;
  {
    auto j = open_journal(options);
    auto big = [] {
      append_request request;
      request.id = message_id::make();
      request.events.push_back({made(std::string(40'000, 'x')), "big"});
      return request;
    };
    std::vector<append_request> batch;
    for (int i = 0; i < 3; ++i)
      batch.push_back(big());
    for (int i = 0; i < 4; ++i)
      batch.push_back(to_stream("small"));
    auto all_fit = j->append(batch);
    BOOST_TEST(std::holds_alternative<appended>(all_fit.back()));
    batch.clear();
    for (int i = 0; i < 6; ++i) {
      batch.push_back(big());
      batch.push_back(to_stream("small"));
    }
    auto outcomes = j->append(batch);
    int refused = 0;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (auto* no = std::get_if<append_refused>(&outcomes[i])) {
        ++refused;
        BOOST_TEST(i % 2 == 0, "a small one did not fit");
        BOOST_TEST((no->why.kind == failure_kind::overloaded));
        BOOST_TEST((no->why.certainty == certainty::not_done));
        BOOST_TEST((no->why.message == batch[i].id));
        BOOST_TEST(no->why.text.find("Make room") != std::string::npos);
      }
    }
    BOOST_TEST(refused > 0);
    kept = j->last_position();
    BOOST_TEST(everything_in(*j).size() == kept);
    BOOST_TEST(*j->stream_version("small") == 10U);
  }
  // More room heals it.
  options.map_limit_bytes = std::size_t{16} << 20;
  auto j = open_journal(options);
  BOOST_TEST(j->last_position() == kept);
  auto next = append_ok(*j, to_stream("small"));
  BOOST_TEST(next.first_position == kept + 1);
  BOOST_TEST(positions_of(*j, "small").size() == 11U);
}

BOOST_AUTO_TEST_CASE(the_map_grows_by_itself_while_others_read) {
  test::temporary_directory directory;
  auto options = journal_options{
      .directory = directory.path(), .map_reserve_bytes = 256 * 1024, .merge_threshold = 16};
  constexpr std::uint64_t events = 120;
  auto check = [&](const journal& j) {
    auto all = everything_in(j);
    BOOST_REQUIRE(all.size() == events);
    for (std::uint64_t i = 0; i < events; ++i)
      BOOST_REQUIRE(all[i].size() > 20'000);
    BOOST_TEST(positions_of(j, "s1").size() == events / 3);
  };
  {
    auto j = open_journal(options);
    std::atomic<bool> done{false};
    std::atomic<int> problems{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i)
      readers.emplace_back([&] {
        for (std::uint64_t next = 1; !done || next <= j->last_position();) {
          auto page = j->read(next, {}, [&](const record_view& r) {
            problems += r.body.size() < 20'000 ? 1 : 0;
            problems += *j->stream_version(r.stream) < r.stream_version ? 1 : 0;
          });
          problems += page ? 0 : 1;
          next = page ? page->next : events + 1;
        }
      });
    std::string text(20'000, 'x');
    for (std::uint64_t i = 0; i < events; ++i) {
      append_request request;
      request.id = message_id::make();
      request.events.push_back({made(text), "s" + std::to_string(i % 3)});
      // Where a read does not let go in time it is refused, and done again.
      while (!std::holds_alternative<appended>(append_one(*j, request))) {
      }
    }
    done = true;
    for (auto& reader : readers)
      reader.join();
    BOOST_TEST(problems == 0);
    check(*j);
  }
  check(*open_journal(options));
}

BOOST_AUTO_TEST_CASE(the_map_grows_to_its_limit) {
  test::temporary_directory directory;
  constexpr std::size_t limit = 1024 * 1024;
  auto j = open_journal({.directory = directory.path(),
                         .map_limit_bytes = limit,
                         .map_reserve_bytes = 128 * 1024,
                         .merge_in_background = false});
  append_request big;
  big.events.push_back({made(std::string(20'000, 'x')), "big"});
  std::size_t fitted = 0;
  for (;; ++fitted) {
    big.events.front().message = made(std::string(20'000, 'x'));
    auto outcome = append_one(*j, big);
    if (std::holds_alternative<append_refused>(outcome))
      break;
  }
  BOOST_TEST(fitted >= limit / 2 / 20'000);
  BOOST_TEST(fitted <= limit / 20'000);
  BOOST_TEST(everything_in(*j).size() == fitted);
}

BOOST_AUTO_TEST_CASE(an_append_within_a_read_does_not_wait_for_itself_to_grow_the_map) {
  test::temporary_directory directory;
  auto j = open_journal({.directory = directory.path(), .map_reserve_bytes = 128 * 1024});
  append_ok(*j, to_stream("a"));
  append_request big;
  big.id = message_id::make();
  big.events.push_back({made(std::string(500'000, 'x')), "big"});
  bool refused = false;
  auto page = j->read(1, {}, [&](const record_view&) {
    auto outcome = append_one(*j, big);
    auto* no = std::get_if<append_refused>(&outcome);
    refused = no != nullptr && no->why.kind == failure_kind::overloaded &&
              no->why.certainty == certainty::not_done;
  });
  BOOST_TEST(page.has_value());
  BOOST_TEST(refused);
  BOOST_TEST(append_ok(*j, big).first_position == 2U);
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_the_append_and_heals_by_itself) {
  test::temporary_directory directory;
  BOOST_TEST(in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto j = open_journal({.directory = directory.path(), .merge_in_background = false});
    for (int i = 0; i < 20; ++i)
      append_ok(*j, to_stream("a"));
    auto set_limit = [](rlim_t bytes) {
      rlimit limit{bytes, RLIM_INFINITY};
      return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    };
    if (!set_limit(used_bytes(directory.path() / "journal" / "data.mdb") + 4096))
      return false;
    append_request big;
    big.events.push_back({made(std::string(100'000, 'x')), "big"});
    int refused = 0;
    for (int i = 0; i < 3; ++i) {
      auto outcome = append_one(*j, big);
      auto* no = std::get_if<append_refused>(&outcome);
      refused += no != nullptr && no->why.kind == failure_kind::overloaded &&
                         no->why.certainty == certainty::not_done
                     ? 1
                     : 0;
    }
    if (refused != 3 || !set_limit(RLIM_INFINITY))
      return false;
    return append_ok(*j, big) == appended{21, 21} &&
           append_ok(*j, to_stream("a")) == appended{22, 22} && everything_in(*j).size() == 22 &&
           *j->stream_version("a") == 21;
  }));
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 22U);
}

BOOST_AUTO_TEST_CASE(a_process_killed_while_appending_loses_nothing_acknowledged) {
  test::temporary_directory directory;
  auto options = journal_options{.directory = directory.path(), .merge_threshold = 8};
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    BOOST_TEST_REQUIRE(::pipe(pipe_ends) == 0);
    auto child = ::fork();
    BOOST_TEST_REQUIRE(child >= 0);
    if (child == 0) {
      auto opened = journal::open(options);
      for (std::uint32_t i = 0; opened; ++i) {
        auto request = to_stream("s" + std::to_string(i % 4), 1 + i % 3);
        auto outcome = append_one(**opened, request);
        if (!std::holds_alternative<appended>(outcome) ||
            ::write(pipe_ends[1], &request.id, sizeof request.id) != sizeof request.id)
          ::_exit(1);
      }
      ::_exit(1);
    }
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
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(WIFSIGNALED(status));
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

BOOST_AUTO_TEST_CASE(a_cut_file_is_refused_and_says_so) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  append_ok(*open_journal({.directory = directory.path()}), to_stream("a", 200));
  auto whole = bytes_of(file).substr(0, used_bytes(file));
  for (auto size : {whole.size() - 1, whole.size() - 4096, whole.size() / 2, std::size_t{8192},
                    std::size_t{4096}, std::size_t{1}, std::size_t{0}}) {
    overwrite(file, whole.substr(0, size));
    auto error = open_error({.directory = directory.path()});
    BOOST_TEST((error.kind == storage_error_kind::damaged), size << " bytes: " << error.text);
    BOOST_TEST(error.text.find("estore a backup") != std::string::npos);
  }
  fs::remove(file);
  BOOST_TEST((open_error({.directory = directory.path()}).kind == storage_error_kind::damaged));
  overwrite(file, whole);
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 200U);
}

BOOST_AUTO_TEST_CASE(a_lost_last_commit_is_refused_and_says_so) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  {
    auto j = open_journal({.directory = directory.path()});
    for (int i = 0; i < 5; ++i)
      append_ok(*j, to_stream("a"));
  }
  auto whole = bytes_of(file);
  // One bit in the number of the transaction on either meta page: with the newer one's, LMDB goes
  // back to the older one.
  constexpr std::size_t transaction_at = 16 + 128;
  int refused = 0;
  for (std::size_t page : {0U, 1U}) {
    auto damaged = whole;
    auto& low = damaged[page * 4096 + transaction_at];
    low = static_cast<char>(low ^ 4);
    overwrite(file, damaged);
    auto opened = journal::open({.directory = directory.path()});
    if (opened) {
      BOOST_TEST((*opened)->last_position() == 5U);
    } else {
      ++refused;
      BOOST_TEST(opened.error().text.find("last commits are missing") != std::string::npos,
                 opened.error().text);
    }
  }
  BOOST_TEST(refused == 1);
  overwrite(file, whole);
  // A witness that is missing or not whole is no damage.
  fs::remove(directory.path() / "journal" / "witness");
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 5U);
  overwrite(directory.path() / "journal" / "witness", "nonsense");
  BOOST_TEST(open_journal({.directory = directory.path()})->last_position() == 5U);
}

BOOST_AUTO_TEST_CASE(no_flipped_bit_is_ever_served) {
  test::temporary_directory directory;
  auto folder = directory.path() / "journal";
  auto file = folder / "data.mdb";
  std::vector<std::string> expected;
  {
    auto j = open_journal({.directory = directory.path(), .sync = false});
    append_ok(*j, to_stream("a", 12));
    append_request big;
    big.events.push_back({made(std::string(3000, 'y')), "big"});
    append_ok(*j, big);
    append_ok(*j, to_stream("b", 12));
    expected = everything_in(*j);
  }
  auto whole = bytes_of(file);
  // LMDB may die of damage on its own pages, which serves nothing either: the next byte is tried by
  // another process then.
  struct progress {
    std::size_t at;
    bool served;
  };
  auto* shared = static_cast<progress*>(
      ::mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  BOOST_TEST_REQUIRE(shared != MAP_FAILED);
  *shared = {0, false};
  int died = 0;
  const auto used = used_bytes(file);
  while (shared->at < used && !shared->served) {
    bool ended = in_child([&] {
      for (; shared->at < used && !shared->served; ++shared->at) {
        std::fstream damaged{file, std::ios::binary | std::ios::in | std::ios::out};
        damaged.seekp(static_cast<std::streamoff>(shared->at));
        damaged.put(static_cast<char>(whole[shared->at] ^ (1 << (shared->at % 8))));
        damaged.close();
        shared->served = !refused_or_equal(folder, expected);
        std::fstream mended{file, std::ios::binary | std::ios::in | std::ios::out};
        mended.seekp(static_cast<std::streamoff>(shared->at));
        mended.put(whole[shared->at]);
      }
      return true;
    });
    if (!ended) {
      ++died;
      BOOST_TEST_MESSAGE("died of byte " << shared->at);
      overwrite(file, whole);
      ++shared->at;
    }
  }
  BOOST_TEST(!shared->served, "a flipped bit in byte " << shared->at << " was served");
  BOOST_TEST_MESSAGE("LMDB died of " << died << " of " << used << " bytes");
  ::munmap(shared, sizeof(progress));
}

BOOST_AUTO_TEST_CASE(damage_is_located_and_what_comes_before_it_is_read) {
  test::temporary_directory directory;
  auto file = directory.path() / "journal" / "data.mdb";
  auto options = journal_options{
      .directory = directory.path(), .merge_threshold = 2, .merge_in_background = false};
  {
    auto j = open_journal(options);
    append_ok(*j, to_stream("a", 5));
    append_request special;
    special.events.push_back({made("the one that breaks"), "a"});
    append_ok(*j, special);
    append_ok(*j, to_stream("a", 5));
    BOOST_TEST(j->merge_now().has_value());
  }
  auto content = bytes_of(file);
  for (auto at = content.find("the one that breaks"); at != std::string::npos;
       at = content.find("the one that breaks", at + 1))
    content[at] = 'T';
  overwrite(file, content);
  auto j = open_journal(options);
  std::vector<std::uint64_t> seen;
  auto visit = [&](const record_view& r) { seen.push_back(r.position); };
  auto read = j->read(1, {}, visit);
  BOOST_TEST_REQUIRE(read.has_error());
  BOOST_TEST((read.error().kind == storage_error_kind::damaged));
  BOOST_TEST(read.error().position == 6U);
  BOOST_TEST(read.error().text.find("event 6 ") == 0U);
  BOOST_TEST(seen == (std::vector<std::uint64_t>{1, 2, 3, 4, 5}), boost::test_tools::per_element());
  read = j->read_stream("a", 1, {}, visit);
  BOOST_TEST_REQUIRE(read.has_error());
  BOOST_TEST(read.error().position == 6U);
  BOOST_TEST(j->read(7, {}, visit).has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_used_is_an_error_that_names_it) {
  auto error = open_error({.directory = "/dev/null/data"});
  BOOST_TEST((error.kind == storage_error_kind::unusable));
  BOOST_TEST(error.text.find("/dev/null/data") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
