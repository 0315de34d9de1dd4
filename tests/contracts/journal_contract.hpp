#pragma once

// What every journal must do. Included once by a test that defines `journal_implementations()`: a
// range of values that have a name to print, and whose `make()` gives something that holds an empty
// journal.

#include "persistence/samples.hpp"

#include <microlith/messages/catalog.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <rapidcheck.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(journal)

using namespace microlith;
using namespace ::sample;

BOOST_DATA_TEST_CASE(positions_start_at_1_and_have_no_gaps, journal_implementations()) {
  auto f = sample.make();
  BOOST_TEST(f->journal().last_position() == 0U);
  auto first = append_ok(f->journal(), to_stream("a", 2));
  BOOST_TEST((first == appended{1, 2}));
  auto second = append_ok(f->journal(), to_stream("b", 1));
  BOOST_TEST((second == appended{3, 3}));
  BOOST_TEST(f->journal().last_position() == 3U);
  BOOST_TEST(
      everything_in(f->journal()) == (std::vector<std::string>{"1 a@1 a", "2 a@2 a", "3 b@1 b"}),
      boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(stream_versions_start_at_1_and_have_no_gaps, journal_implementations()) {
  auto f = sample.make();
  for (int i = 0; i < 5; ++i) {
    append_ok(f->journal(), to_stream("a", 1));
    append_ok(f->journal(), to_stream("b", 2));
  }
  BOOST_TEST(*f->journal().stream_version("a") == 5U);
  BOOST_TEST(*f->journal().stream_version("b") == 10U);
  BOOST_TEST(*f->journal().stream_version("c") == 0U);
  std::vector<std::uint64_t> versions;
  auto progress = f->journal().read_stream("b", 1, {.events = 100}, [&](const record_view& r) {
    BOOST_TEST(r.stream == "b");
    versions.push_back(r.stream_version);
  });
  BOOST_TEST((*progress == read_progress{.next = 11, .events = 10, .end = true}));
  for (std::size_t i = 0; i < versions.size(); ++i)
    BOOST_TEST(versions[i] == i + 1);
}

BOOST_DATA_TEST_CASE(what_is_read_is_what_was_appended, journal_implementations()) {
  auto f = sample.make();
  envelope_head head;
  head.id = message_id::make();
  head.correlation = correlation_id::make();
  head.causation = message_id::make();
  head.root = message_id::make();
  head.time = wall_time{std::chrono::microseconds{1'700'000'000'123'456}};
  head.depth = 7;
  head.facts = std::make_shared<const conversation_facts>(
      conversation_facts{"here", {"alice", {"admin", "clerk"}}, {{"trace", "t-1"}}});
  append_request request;
  request.id = head.causation;
  request.events.push_back({envelope{head, thing_made_event{"anvil", 9}}, "things/anvil"});
  request.events.push_back({made("loose"), ""});
  std::vector<append_request> batch{request};
  BOOST_TEST(std::holds_alternative<appended>(f->journal().append(batch).front()));
  BOOST_TEST(batch[0].events[0].message.position == 1U);
  BOOST_TEST(batch[0].events[0].message.stream_version == 1U);
  BOOST_TEST(batch[0].events[1].message.position == 2U);
  BOOST_TEST(batch[0].events[1].message.stream_version == 0U);

  type_catalog catalog;
  BOOST_TEST(catalog.add<thing_made_event>().has_value());
  std::vector<envelope> seen;
  (void)f->journal().read(1, {}, [&](const record_view& r) {
    BOOST_TEST((r.append == head.causation));
    auto event = to_envelope(r, catalog);
    if (!event)
      BOOST_FAIL(to_string(event.error()));
    seen.push_back(*event);
  });
  BOOST_TEST_REQUIRE(seen.size() == 2U);
  const auto& back = seen[0].head();
  BOOST_TEST((back.id == head.id && back.correlation == head.correlation &&
              back.causation == head.causation && back.root == head.root &&
              back.time == head.time && back.depth == head.depth));
  BOOST_TEST(back.facts->origin == "here");
  BOOST_TEST((back.facts->principal == head.facts->principal));
  BOOST_TEST((back.facts->headers == head.facts->headers));
  BOOST_TEST(seen[0].position == 1U);
  BOOST_TEST(seen[0].stream_version == 1U);
  BOOST_TEST_REQUIRE(seen[0].get_if<thing_made_event>() != nullptr);
  BOOST_TEST(seen[0].get_if<thing_made_event>()->name == "anvil");
  BOOST_TEST(seen[0].get_if<thing_made_event>()->size == 9U);
  BOOST_TEST((seen[1].head().root == seen[1].head().id));
  BOOST_TEST(seen[1].head().causation.empty());
}

BOOST_DATA_TEST_CASE(an_append_is_refused_where_its_expected_version_is_not_met,
                     journal_implementations()) {
  auto f = sample.make();
  auto conflict = [&](expected_version expected) {
    auto outcome = append_one(f->journal(), to_stream("a", 1, expected));
    return std::holds_alternative<append_conflict>(outcome);
  };
  BOOST_TEST(conflict(expected_version::stream_exists()));
  BOOST_TEST(conflict(expected_version::exactly(1)));
  BOOST_TEST(f->journal().last_position() == 0U);
  BOOST_TEST(!conflict(expected_version::no_stream()));
  BOOST_TEST(conflict(expected_version::no_stream()));
  BOOST_TEST(conflict(expected_version::exactly(0)));
  BOOST_TEST(!conflict(expected_version::exactly(1)));
  BOOST_TEST(!conflict(expected_version::stream_exists()));
  BOOST_TEST(!conflict(expected_version::any()));
  BOOST_TEST(f->journal().last_position() == 4U);
  auto outcome = append_one(f->journal(), to_stream("a", 1, expected_version::exactly(2)));
  BOOST_TEST((std::get<append_conflict>(outcome) == append_conflict{"a", "version 2", 4}));
  BOOST_TEST(to_string(std::get<append_conflict>(outcome)) ==
             "stream a has version 4, expected version 2: load it again and decide again");
}

BOOST_DATA_TEST_CASE(each_request_of_a_batch_stands_for_itself, journal_implementations()) {
  auto f = sample.make();
  std::vector<append_request> batch;
  batch.push_back(to_stream("a", 2, expected_version::no_stream()));
  batch.push_back(to_stream("a", 1, expected_version::no_stream()));  // the one before counts
  batch.push_back(to_stream("b", 1, expected_version::no_stream()));
  batch.push_back(to_stream("a", 1, expected_version::exactly(2)));
  auto same = batch[2];
  batch.push_back(same);
  auto outcomes = f->journal().append(batch);
  BOOST_TEST((std::get<appended>(outcomes[0]) == appended{1, 2}));
  BOOST_TEST((std::get<append_conflict>(outcomes[1]) == append_conflict{"a", "no events", 2}));
  BOOST_TEST((std::get<appended>(outcomes[2]) == appended{3, 3}));
  BOOST_TEST((std::get<appended>(outcomes[3]) == appended{4, 4}));
  BOOST_TEST((std::get<already_appended>(outcomes[4]) == already_appended{3, 3}));
  BOOST_TEST(f->journal().last_position() == 4U);
  BOOST_TEST(positions_of(f->journal(), "a") == (std::vector<std::uint64_t>{1, 2, 4}),
             boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(an_append_with_a_known_id_writes_nothing, journal_implementations()) {
  auto f = sample.make();
  append_ok(f->journal(), to_stream("x", 1));
  auto request = to_stream("a", 3);
  append_ok(f->journal(), request);
  append_ok(f->journal(), to_stream("y", 1));
  // Even though what it expects is met no longer, and its events are others.
  auto again = to_stream("a", 1, expected_version::no_stream());
  again.id = request.id;
  auto outcome = append_one(f->journal(), again);
  BOOST_TEST_REQUIRE(std::holds_alternative<already_appended>(outcome));
  BOOST_TEST((std::get<already_appended>(outcome) == already_appended{2, 4}));
  BOOST_TEST(f->journal().last_position() == 5U);
  BOOST_TEST((*f->journal().append_of(request.id) == append_positions{2, 4}));
  BOOST_TEST(!f->journal().append_of(message_id::make())->has_value());
}

BOOST_DATA_TEST_CASE(an_event_is_written_once, journal_implementations()) {
  auto f = sample.make();
  auto request = to_stream("a", 1);
  request.id = {};
  append_ok(f->journal(), request);
  append_request other;
  other.id = message_id::make();
  other.events.push_back({made("new"), "b"});
  other.events.push_back(request.events.front());
  auto outcome = append_one(f->journal(), other);
  BOOST_TEST_REQUIRE(std::holds_alternative<already_appended>(outcome));
  BOOST_TEST((std::get<already_appended>(outcome) == already_appended{1, 1}));
  BOOST_TEST(f->journal().last_position() == 1U);
  BOOST_TEST(*f->journal().stream_version("b") == 0U);
  BOOST_TEST((*f->journal().position_of(request.events.front().message.head().id) == 1U));
  BOOST_TEST(!f->journal().position_of(other.events.front().message.head().id)->has_value());
  // What was refused may be appended later.
  other.events.pop_back();
  append_ok(f->journal(), other);
}

BOOST_DATA_TEST_CASE(a_speculative_append_must_follow_the_one_it_was_built_on,
                     journal_implementations()) {
  auto f = sample.make();
  auto first = to_stream("a", 1);
  auto speculative = to_stream("a", 1);
  speculative.checks.front().built_on = first.id;
  BOOST_TEST(std::holds_alternative<append_conflict>(append_one(f->journal(), speculative)));
  // Somebody else's event gives the stream the version that was expected.
  append_ok(f->journal(), to_stream("a", 1));
  speculative.checks.front().expected = expected_version::exactly(1);
  auto outcome = append_one(f->journal(), speculative);
  BOOST_TEST_REQUIRE(std::holds_alternative<append_conflict>(outcome));
  BOOST_TEST(std::get<append_conflict>(outcome).actual == 1U);
  speculative.checks.front().expected = expected_version::any();

  std::vector<append_request> batch{first, speculative};
  auto outcomes = f->journal().append(batch);
  BOOST_TEST((std::get<appended>(outcomes[0]) == appended{2, 2}));
  BOOST_TEST((std::get<appended>(outcomes[1]) == appended{3, 3}));

  auto third = to_stream("a", 1);
  third.checks.front().built_on = first.id;
  BOOST_TEST(std::holds_alternative<append_conflict>(append_one(f->journal(), third)));
  third.checks.front().built_on = speculative.id;
  append_ok(f->journal(), third);
}

BOOST_DATA_TEST_CASE(an_append_without_events_only_checks, journal_implementations()) {
  auto f = sample.make();
  append_request check;
  check.checks.push_back({"a", expected_version::no_stream()});
  BOOST_TEST((append_ok(f->journal(), check) == appended{0, 0}));
  append_ok(f->journal(), to_stream("a"));
  BOOST_TEST(std::holds_alternative<append_conflict>(append_one(f->journal(), check)));
  BOOST_TEST(f->journal().last_position() == 1U);
}

BOOST_DATA_TEST_CASE(a_read_stops_where_its_limits_or_the_visitor_say, journal_implementations()) {
  auto f = sample.make();
  append_ok(f->journal(), to_stream("a", 10));
  auto ignore = [](const record_view&) {};
  auto page = f->journal().read(0, {.events = 4}, ignore);
  BOOST_TEST((*page == read_progress{.next = 5, .events = 4, .end = false}));
  page = f->journal().read(5, {.events = 6}, ignore);
  BOOST_TEST((*page == read_progress{.next = 11, .events = 6, .end = true}));
  page = f->journal().read(11, {}, ignore);
  BOOST_TEST((*page == read_progress{.next = 11, .events = 0, .end = true}));
  page = f->journal().read(1, {.events = 10, .bytes = 1}, ignore);
  BOOST_TEST((*page == read_progress{.next = 2, .events = 1, .end = false}));
  page = f->journal().read(1, {}, [](const record_view& r) { return r.position < 3; });
  BOOST_TEST((*page == read_progress{.next = 4, .events = 3, .end = false}));

  page = f->journal().read_stream("a", 0, {.events = 4}, ignore);
  BOOST_TEST((*page == read_progress{.next = 5, .events = 4, .end = false}));
  page = f->journal().read_stream("a", 8, {.events = 4}, ignore);
  BOOST_TEST((*page == read_progress{.next = 11, .events = 3, .end = true}));
  page = f->journal().read_stream("a", 11, {}, ignore);
  BOOST_TEST((*page == read_progress{.next = 11, .events = 0, .end = true}));
  page = f->journal().read_stream("nobody", 1, {}, ignore);
  BOOST_TEST((*page == read_progress{.next = 1, .events = 0, .end = true}));
}

BOOST_DATA_TEST_CASE(the_events_of_a_conversation_are_found_in_order, journal_implementations()) {
  auto f = sample.make();
  auto talk = correlation_id::make();
  for (int i = 0; i < 6; ++i) {
    append_request request;
    request.events.push_back({message_of(thing_made_event{"x", 1}, talk), ""});
    request.events.push_back({made("other"), ""});
    append_ok(f->journal(), request);
  }
  BOOST_TEST(
      *f->journal().conversation(talk, 0, 100) == (std::vector<std::uint64_t>{1, 3, 5, 7, 9, 11}),
      boost::test_tools::per_element());
  BOOST_TEST(*f->journal().conversation(talk, 3, 2) == (std::vector<std::uint64_t>{5, 7}),
             boost::test_tools::per_element());
  BOOST_TEST(f->journal().conversation(correlation_id::make(), 0, 10)->empty());
}

BOOST_DATA_TEST_CASE(what_no_journal_can_hold_is_refused_alone, journal_implementations()) {
  auto f = sample.make();
  std::vector<append_request> batch(6);
  batch[0] = to_stream("good");
  batch[1].events.push_back({message_of(break_command{"anvil"}), "a"});
  batch[2].events.push_back({made("x"), std::string(max_stream_name_bytes + 1, 'x')});
  auto twice = made("twice");
  batch[3].events = {{twice, "a"}, {twice, "a"}};
  batch[4].events.push_back({made(std::string(max_event_bytes, 'x')), "a"});
  batch[5] = to_stream("good");
  auto outcomes = f->journal().append(batch);
  BOOST_TEST((std::get<appended>(outcomes[0]) == appended{1, 1}));
  for (std::size_t i = 1; i <= 4; ++i) {
    BOOST_TEST_REQUIRE(std::holds_alternative<append_refused>(outcomes[i]));
    BOOST_TEST((std::get<append_refused>(outcomes[i]).why.certainty == certainty::not_done));
  }
  BOOST_TEST(std::get<append_refused>(outcomes[1]).why.text.find("only events are journaled") !=
             std::string::npos);
  BOOST_TEST((std::get<appended>(outcomes[5]) == appended{2, 2}));
  BOOST_TEST(*f->journal().stream_version("a") == 0U);
  append_ok(f->journal(), to_stream("a"));
  BOOST_TEST(everything_in(f->journal()).size() == 3U);
}

BOOST_DATA_TEST_CASE(what_is_past_its_bounds_is_refused_and_says_which_append,
                     journal_implementations()) {
  auto f = sample.make();
  std::vector<append_request> batch(4);
  for (auto& request : batch)
    request.id = message_id::make();
  batch[0].events.assign(max_events_per_append + 1, {made("x"), "a"});
  envelope_head head;
  head.id = message_id::make();
  head.correlation = correlation_id::make();
  head.facts = std::make_shared<const conversation_facts>(
      conversation_facts{"here", {}, {{"long", std::string(max_facts_bytes, 'x')}}});
  batch[1].events.push_back({envelope{head, thing_made_event{"x"}}, "a"});
  batch[2].events.push_back({});  // no message at all
  batch[3].events.push_back({made("fits"), std::string(max_stream_name_bytes, 'x')});
  auto outcomes = f->journal().append(batch);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST_REQUIRE(std::holds_alternative<append_refused>(outcomes[i]), "request " << i);
    const auto& why = std::get<append_refused>(outcomes[i]).why;
    BOOST_TEST((why.certainty == certainty::not_done));
    BOOST_TEST((why.message == batch[i].id));
    BOOST_TEST(!why.text.empty());
    BOOST_TEST(!f->journal().append_of(batch[i].id)->has_value());
  }
  BOOST_TEST((std::get<appended>(outcomes[3]) == appended{1, 1}));
  BOOST_TEST(f->journal().append(append_batch{}).empty());
  BOOST_TEST(f->journal().last_position() == 1U);
}

/// "Everything else may be called from any thread, at any time, also while appending."
BOOST_DATA_TEST_CASE(it_may_be_read_while_it_is_appended_to, journal_implementations()) {
  auto f = sample.make();
  const auto& j = f->journal();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  auto reader = [&] {
    for (int round = 0; !done || round < 3; ++round) {
      // What has been told of once is there for whoever asks next.
      auto last = j.last_position();
      std::uint64_t next = 1;
      message_id id;
      message_id append;
      auto all = j.read(1, {.events = 1'000'000}, [&](const record_view& r) {
        wrong += r.position == next++ ? 0 : 1;
        id = r.id;
        append = r.append;
      });
      wrong += all && next > last ? 0 : 1;
      auto version = j.stream_version("a");
      next = 1;
      auto stream = j.read_stream("a", 1, {.events = 1'000'000}, [&](const record_view& r) {
        wrong += r.stream_version == next++ ? 0 : 1;
      });
      wrong += version && stream && next > *version ? 0 : 1;
      if (last > 0) {
        auto position = j.position_of(id);
        auto positions = j.append_of(append);
        wrong += position && *position && positions && *positions ? 0 : 1;
      }
      wrong += last > 0 && j.types().empty() ? 1 : 0;
    }
  };
  std::thread one{reader};
  std::thread two{reader};
  for (int i = 0; i < 100; ++i)
    append_ok(f->journal(), to_stream(i % 2 == 0 ? "a" : "b", 2));
  done = true;
  one.join();
  two.join();
  BOOST_TEST(wrong == 0);
}

BOOST_DATA_TEST_CASE(the_types_of_its_events_are_known_with_their_fields,
                     journal_implementations()) {
  auto f = sample.make();
  BOOST_TEST(f->journal().types().empty());
  append_request request;
  request.events = {{made("x"), ""}, {message_of(thing_broken_event{"x"}), ""}};
  append_ok(f->journal(), request);
  auto types = f->journal().types();
  BOOST_TEST_REQUIRE(types.size() == 2U);
  BOOST_TEST(types[0].name == "sample.thing_made_event");
  BOOST_TEST(types[0].schema.fields.at(1).name == "size");
  BOOST_TEST(types[1].name == "sample.thing_broken_event");
  BOOST_TEST(types[1].fingerprint == schema_of<thing_broken_event>().fingerprint);
}

BOOST_DATA_TEST_CASE(journals_have_different_epochs, journal_implementations()) {
  auto one = sample.make();
  auto other = sample.make();
  BOOST_TEST(!one->journal().epoch().empty());
  BOOST_TEST((one->journal().epoch() != other->journal().epoch()));
}

/// Whatever is appended, a journal answers as a few maps do.
BOOST_DATA_TEST_CASE(a_journal_agrees_with_its_model, journal_implementations()) {
  bool fine = rc::check([&] {
    auto f = sample.make();
    std::vector<std::pair<std::string, message_id>> records;  // stream, append
    std::map<std::string, std::vector<std::uint64_t>> streams;
    std::map<message_id, append_positions> appends;
    std::vector<message_id> known;
    auto batches = *rc::gen::inRange(1, 12);
    for (int b = 0; b < batches; ++b) {
      std::vector<append_request> batch;
      std::vector<append_outcome> expected;
      auto size = *rc::gen::inRange(1, 6);
      for (int i = 0; i < size; ++i) {
        append_request request;
        bool repeat = !known.empty() && *rc::gen::inRange(0, 6) == 0;
        request.id = repeat ? *rc::gen::elementOf(known) : message_id::make();
        auto stream = "s" + std::to_string(*rc::gen::inRange(0, 4));
        auto version = *rc::gen::inRange<std::uint64_t>(0, 5);
        auto wanted = *rc::gen::inRange(0, 3) == 0 ? expected_version::exactly(version)
                                                   : expected_version::any();
        request.checks.push_back({stream, wanted});
        auto events = *rc::gen::inRange(0, 4);
        for (int e = 0; e < events; ++e)
          request.events.push_back({made("m"), "s" + std::to_string(*rc::gen::inRange(0, 4))});

        if (auto before = appends.find(request.id); before != appends.end()) {
          expected.emplace_back(already_appended{before->second.first, before->second.last});
        } else if (!wanted.met_by(streams[stream].size())) {
          expected.emplace_back(append_conflict{stream, wanted.text(), streams[stream].size()});
        } else if (events == 0) {
          expected.emplace_back(appended{});
        } else {
          auto first = records.size() + 1;
          for (const auto& event : request.events) {
            records.emplace_back(event.stream, request.id);
            streams[event.stream].push_back(records.size());
          }
          expected.emplace_back(appended{first, records.size()});
          appends.emplace(request.id, append_positions{first, records.size()});
          known.push_back(request.id);
        }
        batch.push_back(std::move(request));
      }
      RC_ASSERT(f->journal().append(batch) == expected);
      if (*rc::gen::inRange(0, 4) == 0)
        RC_ASSERT(f->journal().merge_now().has_value());
    }
    RC_ASSERT(f->journal().last_position() == records.size());
    std::uint64_t position = 0;
    auto all = f->journal().read(1, {.events = 1'000'000}, [&](const record_view& r) {
      RC_ASSERT(r.position == ++position);
      RC_ASSERT(std::string{r.stream} == records[position - 1].first);
      RC_ASSERT(r.append == records[position - 1].second);
    });
    RC_ASSERT(all.has_value() && position == records.size());
    for (const auto& [stream, positions] : streams) {
      RC_ASSERT(*f->journal().stream_version(stream) == positions.size());
      auto from = *rc::gen::inRange<std::uint64_t>(1, positions.size() + 2);
      auto rest = positions;
      rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(from - 1));
      RC_ASSERT(positions_of(f->journal(), stream, from) == rest);
    }
    for (const auto& [id, positions] : appends)
      RC_ASSERT((*f->journal().append_of(id) == positions));
  });
  BOOST_TEST(fine);
}

BOOST_AUTO_TEST_SUITE_END()
