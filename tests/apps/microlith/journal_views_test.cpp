#include "apps/microlith/tool.hpp"
#include "microlith/journal_trace.hpp"
#include "microlith/progress.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>
#include <iterator>

using namespace microlith;
using tool::test::lines_of;
using tool::test::run;

namespace {

struct account_opened_event {
  using message = microlith::event<"sample.account_opened_event">;
  using sensitive = sensitive_fields<"password_hash">;
  std::string email;
  std::string password_hash;
};
BOOST_DESCRIBE_STRUCT(account_opened_event, (), (email, password_hash))

struct account_opened_before_event {
  using message = microlith::event<"sample.account_opened_event">;
  std::string email;
  std::string password_hash;
};
BOOST_DESCRIBE_STRUCT(account_opened_before_event, (), (email, password_hash))

void open_account(journal& to) {
  append_request request;
  request.events.push_back(
      {sample::message_of(account_opened_event{"a@b.c", "hash-of-a"}), "account/a"});
  sample::append_ok(to, std::move(request));
}

/// Five events in two conversations, an hour after each other; of the first three the index knows.
class conversations {
 public:
  conversations() {
    auto journal = tool::test::journal_in(path());
    append(*journal, sample::thing_made_event{"1"}, "a/1", first);
    append(*journal, sample::thing_broken_event{"2"}, "a/1", first);
    append(*journal, sample::thing_made_event{"3"}, "a/2", second);
    BOOST_REQUIRE(journal->merge_now());
    append(*journal, sample::thing_broken_event{"4"}, "a/2", first);
    append(*journal, sample::thing_made_event{"5"}, "a/1", first);
  }

  const correlation_id first = correlation_id::make();
  const correlation_id second = correlation_id::make();

  /// Positions that a command prints.
  [[nodiscard]] std::vector<int> shown(const std::string& command,
                                       const std::vector<std::string>& filter) const {
    std::vector<std::string> arguments{"journal", command, "--data", path().string()};
    arguments.insert(arguments.end(), filter.begin(), filter.end());
    if (command != "export")
      arguments.emplace_back("--json");
    auto end = run(arguments);
    BOOST_TEST(end.code == 0, end.err);
    std::vector<int> positions;
    for (const auto& line : lines_of(end.out))
      positions.push_back(static_cast<int>(boost::json::parse(line).at("position").as_int64()));
    return positions;
  }

 private:
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "d"; }

  template <class Event>
  void append(journal& to, Event event, const std::string& stream, correlation_id correlation) {
    envelope_head head;
    head.id = message_id::make();
    head.correlation = correlation;
    head.time = wall_time{std::chrono::sys_days{std::chrono::year{2024} / 2 / 29}} +
                std::chrono::hours{hour_++};
    append_request request;
    request.events.push_back({envelope{std::move(head), std::move(event)}, stream});
    sample::append_ok(to, std::move(request));
  }

  microlith::test::temporary_directory directory_;
  int hour_ = 0;
};

/// 20 events: `thing/0`, `thing/1`, `thing/2`, `thing/0`, …
class data_directory {
 public:
  data_directory() {
    auto journal = tool::test::journal_in(path());
    for (int i = 0; i < 20; ++i)
      sample::append_ok(*journal, sample::to_stream("thing/" + std::to_string(i % 3)));
  }
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "d"; }
  [[nodiscard]] std::string text() const { return path().string(); }

 private:
  microlith::test::temporary_directory directory_;
};

std::size_t events_listed(const data_directory& data, std::vector<std::string> more) {
  std::vector<std::string> arguments{"journal", "ls", "--data", data.text()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  auto end = run(arguments);
  BOOST_TEST(end.code == 0);
  return lines_of(end.out).size();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_views)

BOOST_AUTO_TEST_CASE(stats_count_events_by_type) {
  data_directory data;
  auto end = run({"journal", "stats", "--data", data.text(), "--json"});
  BOOST_TEST(end.code == 0);
  auto json = boost::json::parse(end.out);
  BOOST_TEST(json.at("events").as_int64() == 20);
  BOOST_TEST(json.at("types").at(0).at("events").as_int64() == 20);
  BOOST_TEST(json.at("types").at(0).at("type").as_string() == "sample.thing_made_event");
}

BOOST_AUTO_TEST_CASE(ls_filters_by_position_stream_type_correlation_and_time) {
  data_directory data;
  BOOST_TEST(events_listed(data, {}) == 20U);
  BOOST_TEST(events_listed(data, {"--from", "5", "--to", "8"}) == 4U);
  BOOST_TEST(events_listed(data, {"--from", "99"}) == 0U);
  BOOST_TEST(events_listed(data, {"--stream", "thing/1"}) == 7U);
  BOOST_TEST(events_listed(data, {"--stream", "thing/*"}) == 20U);
  BOOST_TEST(events_listed(data, {"--stream", "thing"}) == 0U);
  BOOST_TEST(events_listed(data, {"--type", "sample.thing_made_event"}) == 20U);
  BOOST_TEST(events_listed(data, {"--type", "other"}) == 0U);
  BOOST_TEST(events_listed(data, {"--limit", "3"}) == 3U);
  // All samples are of 2023-11-14T22:13:20Z.
  BOOST_TEST(events_listed(data, {"--since", "2023-11-14T22:13:20Z"}) == 20U);
  BOOST_TEST(events_listed(data, {"--until", "2023-11-14T22:13:20Z"}) == 0U);
  BOOST_TEST(events_listed(data, {"--since", "2h"}) == 0U);
  auto one = run({"journal", "ls", "--data", data.text(), "--from", "7", "--limit", "1", "--json"});
  auto correlation = boost::json::parse(one.out).at("correlation").as_string();
  BOOST_TEST(events_listed(data, {"--correlation", std::string{correlation}}) == 1U);
}

// Those of one stream and of one conversation are found in another way than the others.
BOOST_AUTO_TEST_CASE(filters_are_met_all_together_in_every_view) {
  conversations data;
  auto of = to_string(data.first);
  const std::string made = "sample.thing_made_event";
  const std::string broken = "sample.thing_broken_event";
  struct filtered {
    std::vector<std::string> by;
    std::vector<int> are;
  };
  for (const auto& [by, are] : std::vector<filtered>{
           {{"--type", made}, {1, 3, 5}},
           {{"--type", "sample.thing_m*"}, {1, 3, 5}},
           {{"--type", "sample.*"}, {1, 2, 3, 4, 5}},
           {{"--stream", "a/1"}, {1, 2, 5}},
           {{"--stream", "a/1", "--to", "4"}, {1, 2}},
           {{"--stream", "a/1", "--from", "2"}, {2, 5}},
           {{"--stream", "a/2", "--type", broken}, {4}},
           {{"--stream", "a/2", "--since", "2024-02-29T03:00:00Z"}, {4}},
           {{"--stream", "a/*", "--type", broken}, {2, 4}},
           {{"--correlation", of}, {1, 2, 4, 5}},
           {{"--correlation", to_string(data.second)}, {3}},
           {{"--correlation", of, "--from", "2", "--to", "4"}, {2, 4}},
           {{"--correlation", of, "--stream", "a/1"}, {1, 2, 5}},
           {{"--correlation", of, "--type", broken}, {2, 4}},
           {{"--correlation", of, "--until", "2024-02-29T03:00:00Z"}, {1, 2}},
           {{"--since", "2024-02-29T01:00:00Z", "--until", "2024-02-29T04:00:00Z"}, {2, 3, 4}},
           {{"--since", "2024-02-29", "--to", "2"}, {1, 2}},
           {{"--until", "2024-02-29"}, {}}}) {
    for (const char* command : {"ls", "tail", "export"}) {
      auto shown = data.shown(command, by);
      BOOST_TEST(shown == are, command << ' ' << by[0] << ' ' << by[1] << ", …");
    }
  }
}

BOOST_AUTO_TEST_CASE(show_finds_an_event_by_position_and_by_id) {
  data_directory data;
  auto json =
      boost::json::parse(run({"journal", "show", "7", "--data", data.text(), "--json"}).out);
  BOOST_TEST(json.at("position").as_int64() == 7);
  BOOST_TEST(json.at("body").at("name").as_string() == "thing/0");
  std::string id{json.at("id").as_string()};
  auto by_id = run({"journal", "show", id, "--data", data.text()});
  BOOST_TEST(by_id.code == 0);
  BOOST_TEST(by_id.out.starts_with("position     7\n"));
  for (const char* wrong :
       {"0", "21", "99999999999999999999", "x", "-1", "", "018f0e5a-7c3b-7abc-9def-0123456789ab"})
    BOOST_TEST(run({"journal", "show", wrong, "--data", data.text()}).code == 2, wrong);
}

BOOST_AUTO_TEST_CASE(tail_shows_the_last_events_that_match) {
  data_directory data;
  auto end = run({"journal", "tail", "--data", data.text(), "-n", "2", "--stream", "thing/0"});
  BOOST_REQUIRE(lines_of(end.out).size() == 2U);
  BOOST_TEST(lines_of(end.out)[0].starts_with("16  "));
  BOOST_TEST(lines_of(end.out)[1].starts_with("19  "));
}

BOOST_AUTO_TEST_CASE(tail_follows_a_node_that_writes) {
  data_directory data;
  auto journal = tool::test::journal_in(data.path());
  microlith::test::child_process follower{
      tool::test::program, {"journal", "tail", "--data", data.text(), "-n", "1", "--follow"}};
  BOOST_TEST(follower.read_line().value_or("").starts_with("20  "));
  sample::append_ok(*journal, sample::to_stream("thing/new"));
  BOOST_TEST(follower.read_line().value_or("").starts_with("21  "));
  follower.signal(SIGTERM);
  BOOST_TEST(follower.wait().code == 0);
}

BOOST_AUTO_TEST_CASE(export_writes_an_event_a_line_and_nothing_over_a_file) {
  data_directory data;
  auto end = run({"journal", "export", "--data", data.text()});
  BOOST_TEST(lines_of(end.out).size() == 20U);
  auto file = (data.path().parent_path() / "events.jsonl").string();
  BOOST_TEST(run({"journal", "export", "--data", data.text(), "--file", file}).code == 0);
  BOOST_TEST(std::filesystem::file_size(file) == end.out.size());
  BOOST_TEST(run({"journal", "export", "--data", data.text(), "--file", file}).code == 2);
  auto inside = (data.path() / "journal" / "new").string();
  BOOST_TEST(run({"journal", "export", "--data", data.text(), "--file", inside}).code == 2);
  BOOST_TEST(!std::filesystem::exists(inside));
}

BOOST_AUTO_TEST_CASE(sensitive_fields_are_masked_in_all_views) {
  data_directory data;
  open_account(*tool::test::journal_in(data.path()));
  auto shown = run({"journal", "show", "21", "--data", data.text(), "--json"});
  std::string id{boost::json::parse(shown.out).at("id").as_string()};
  for (const auto& arguments : {std::vector<std::string>{"ls"},
                                {"ls", "--json"},
                                {"show", "21"},
                                {"show", "21", "--json"},
                                {"tail"},
                                {"tail", "--json"},
                                {"trace", id},
                                {"trace", id, "--json"},
                                {"export"}}) {
    std::vector<std::string> all{"journal"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--data", data.text()});
    auto end = run(all);
    BOOST_TEST(end.out.find("a@b.c") != std::string::npos);
    BOOST_TEST(end.out.find("***") != std::string::npos);
    BOOST_TEST(end.out.find("hash-of-a") == std::string::npos, arguments[0] << ": " << end.out);
  }
  auto file = data.path().parent_path() / "events.jsonl";
  BOOST_TEST(run({"journal", "export", "--data", data.text(), "--file", file.string()}).code == 0);
  std::ifstream in{file};
  std::string exported{std::istreambuf_iterator<char>{in}, {}};
  BOOST_TEST(exported.find("a@b.c") != std::string::npos);
  BOOST_TEST(exported.find("hash-of-a") == std::string::npos);
  microlith::test::child_process follower{
      tool::test::program, {"journal", "tail", "--data", data.text(), "-n", "1", "--follow"}};
  for (int i = 0; i < 2; ++i) {
    auto line = follower.read_line().value_or("");
    BOOST_TEST(line.find("a@b.c") != std::string::npos, line);
    BOOST_TEST(line.find("hash-of-a") == std::string::npos, line);
    if (i == 0)
      open_account(*tool::test::journal_in(data.path()));
  }
}

BOOST_AUTO_TEST_CASE(a_journal_of_before_is_masked_once_the_node_has_started) {
  data_directory data;
  {
    auto journal = tool::test::journal_in(data.path());
    append_request request;
    request.events.push_back(
        {sample::message_of(account_opened_before_event{"a@b.c", "hash-of-a"})});
    sample::append_ok(*journal, std::move(request));
  }
  auto shown = [&] { return run({"journal", "show", "21", "--data", data.text()}).out; };
  BOOST_TEST(shown().find("hash-of-a") != std::string::npos);
  type_catalog catalog;
  BOOST_REQUIRE(catalog.add<account_opened_event>());
  auto journal = sample::open_journal({.directory = data.path(), .catalog = catalog});
  BOOST_TEST(shown().find("hash-of-a") == std::string::npos);
  BOOST_TEST(run({"journal", "verify", "--data", data.text()}).code == 0);
}

BOOST_AUTO_TEST_CASE(trace_draws_what_caused_what) {
  using std::chrono::microseconds;
  auto id = [](std::uint64_t n) { return message_id{1'700'000'000'000ULL << 16, n}; };
  auto at = [](int ms) { return wall_time{std::chrono::milliseconds{1'700'000'000'000 + ms}}; };
  std::vector<tool::traced_event> events{{1, id(1), id(100), at(1), "one"},
                                         {2, id(2), id(1), at(2), "two"},
                                         {3, id(3), id(1), at(3), "three"},
                                         {4, id(4), id(2), at(2000), "four"},
                                         {5, id(5), {}, at(5), "alone"}};
  std::vector<std::string> expected{to_string(id(100)) + "  +0.000 ms  (not journaled)",
                                    "└─ 1  +1.000 ms  one",
                                    "   ├─ 2  +2.000 ms  two",
                                    "   │  └─ 4  +2.000 s  four",
                                    "   └─ 3  +3.000 ms  three",
                                    "5  +5.000 ms  alone"};
  auto drawn = tool::draw_trace(events);
  BOOST_TEST(drawn == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(trace_draws_circles_and_long_chains_once) {
  std::vector<tool::traced_event> events{{1, {0, 1}, {0, 2}, {}, "one"},
                                         {2, {0, 2}, {0, 1}, {}, "two"},
                                         {3, {0, 3}, {0, 3}, {}, "itself"}};
  BOOST_TEST(tool::draw_trace(events).size() == 3U);
  events.clear();
  for (std::uint64_t i = 1; i <= 50'000; ++i)
    events.push_back({i, {0, i}, {0, i - 1}, {}, "next"});
  BOOST_TEST(tool::draw_trace(events).size() == 50'000U);
}

BOOST_AUTO_TEST_CASE(trace_finds_a_conversation_by_any_of_its_ids) {
  data_directory data;
  auto json =
      boost::json::parse(run({"journal", "show", "7", "--data", data.text(), "--json"}).out);
  for (const char* name : {"id", "correlation", "append"}) {
    std::string id{json.at(name).as_string()};
    auto end = run({"journal", "trace", id, "--data", data.text()});
    BOOST_TEST(end.code == 0);
    BOOST_TEST(lines_of(end.out).back().starts_with("7  "));
  }
  BOOST_TEST(run({"journal", "trace", "abc", "--data", data.text()}).code == 2);
  BOOST_TEST(
      run({"journal", "trace", "018f0e5a-7c3b-7abc-9def-0123456789ab", "--data", data.text()})
          .code == 2);
}

BOOST_AUTO_TEST_CASE(progress_is_a_bar_of_one_line) {
  BOOST_TEST(tool::progress_text("verify", 1, 2) ==
             "verify  [###############---------------]   50%  1 of 2");
  BOOST_TEST(tool::progress_text("x", 0, 0).find("100%") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
