#pragma once

// Events and requests for the tests of persistence/.

#include <microlith/messages/describe.hpp>
#include <microlith/messages/envelope.hpp>
#include <microlith/persistence/journal.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sample {

using namespace microlith;

struct thing_made_event {
  using message = microlith::event<"sample.thing_made_event">;
  std::string name;
  std::uint32_t size = 0;
};
BOOST_DESCRIBE_STRUCT(thing_made_event, (), (name, size))

struct thing_broken_event {
  using message = microlith::event<"sample.thing_broken_event">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(thing_broken_event, (), (name))

struct break_command {
  using message = microlith::command<"sample.break_command">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(break_command, (), (name))

template <class T>
envelope message_of(T body, correlation_id correlation = correlation_id::make()) {
  envelope_head head;
  head.id = message_id::make();
  head.correlation = correlation;
  head.root = head.id;
  head.time = wall_time{std::chrono::microseconds{1'700'000'000'000'000}};
  return envelope{std::move(head), std::move(body)};
}

inline envelope made(std::string name, std::uint32_t size = 1) {
  return message_of(thing_made_event{std::move(name), size});
}

/// One append of events to one stream.
inline append_request to_stream(std::string stream, std::size_t events = 1,
                                expected_version expected = expected_version::any()) {
  append_request request;
  request.id = message_id::make();
  request.checks.push_back({stream, expected});
  for (std::size_t i = 0; i < events; ++i)
    request.events.push_back({made(stream, static_cast<std::uint32_t>(i)), stream});
  return request;
}

inline append_outcome append_one(journal& to, append_request request) {
  return to.append(std::span{&request, 1}).front();
}

/// Positions of what must have been appended.
inline appended append_ok(journal& to, append_request request) {
  auto outcome = append_one(to, std::move(request));
  if (auto* refused = std::get_if<append_refused>(&outcome))
    BOOST_FAIL(refused->why.text);
  BOOST_REQUIRE(std::holds_alternative<appended>(outcome));
  return std::get<appended>(outcome);
}

/// "position stream@version name" of every record there is.
inline std::vector<std::string> everything_in(const journal& j) {
  std::vector<std::string> all;
  auto progress =
      j.read(1, {.events = 1'000'000, .bytes = 1'000'000'000}, [&](const record_view& r) {
        auto event = decode<thing_made_event>(r.body);
        all.push_back(std::to_string(r.position) + ' ' + std::string{r.stream} + '@' +
                      std::to_string(r.stream_version) + ' ' + (event ? event->name : "?"));
      });
  if (!progress)
    BOOST_FAIL(progress.error().text);
  return all;
}

/// Whether it holds these appends and no other, at positions without a gap.
inline void check_holds(const journal& j, const std::set<message_id>& appends) {
  std::set<message_id> found;
  std::uint64_t position = 0;
  auto all = j.read(1, {.events = ~std::uint64_t{0}, .bytes = ~std::uint64_t{0}},
                    [&](const record_view& r) {
                      BOOST_TEST(r.position == ++position);
                      found.insert(r.append);
                    });
  BOOST_TEST((all && position == j.last_position()));
  BOOST_TEST((found == appends));
}

inline std::vector<std::uint64_t> positions_of(const journal& j, std::string_view stream,
                                               std::uint64_t from = 1) {
  std::vector<std::uint64_t> positions;
  auto progress = j.read_stream(stream, from, {.events = 1'000'000, .bytes = 1'000'000'000},
                                [&](const record_view& r) { positions.push_back(r.position); });
  if (!progress)
    BOOST_FAIL(progress.error().text);
  return positions;
}

inline std::unique_ptr<journal> open_journal(journal_options options) {
  auto opened = journal::open(std::move(options));
  if (!opened)
    BOOST_FAIL(opened.error().text);
  return std::move(*opened);
}

}  // namespace sample
