// A journal and the room that it has: its map, its disk.

#include "persistence/child.hpp"
#include "persistence/data_files.hpp"
#include "persistence/samples.hpp"
#include "support/temporary_directory.hpp"

#include <microlith/persistence/internal/data_file.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace microlith;
using namespace sample;

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_room)

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

BOOST_AUTO_TEST_SUITE_END()
