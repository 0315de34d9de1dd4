#pragma once

// Events that a durable subscription notes, fails at when told to, and answers with others.

#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"
#include "support/temporary_directory.hpp"

#include <map>

namespace samples {

using namespace microlith;
using test::running_node;

// An event of some key; what is to become of it is up to the test.
struct posted {
  using message = microlith::event<"test.posted">;
  std::string key;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(posted, (), (key, number))

// What handlers make of it.
struct delivered {
  using message = microlith::event<"test.delivered">;
  std::string key;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(delivered, (), (key, number))

struct nobody_serves_this {
  using message = microlith::command<"test.nobody_serves_this">;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(nobody_serves_this, (), (number))

using texts = std::vector<std::string>;

struct posted_events {
  test::temporary_directory data;
  std::shared_ptr<test::journal_script> script = std::make_shared<test::journal_script>();
  test::log_lines log;
  texts seen;                          // "a1" for number 1 of key a
  std::map<std::string, int> failing;  // how often each is still to fail

  [[nodiscard]] node_options options() {
    return {.data = data.path(),
            .scheduler = scheduling::deterministic,
            .log = log.writer(),
            .wrap_journal = test::scripted(script)};
  }

  void note(const posted& e) {
    auto name = e.key + std::to_string(e.number);
    seen.push_back(name);
    if (auto at = failing.find(name); at != failing.end() && at->second > 0) {
      --at->second;
      throw std::runtime_error{name + " fails"};
    }
  }

  // Notes what it sees, and answers with an event.
  [[nodiscard]] component notes(durable_options how = {}) {
    component hosted{"test.notes"};
    hosted.durably_on<posted>(
        "test.notes", [](const posted& e) { return e.key; },
        [this](const posted& e, context& ctx) {
          note(e);
          ctx.dispatch(delivered{e.key, e.number});
        },
        how);
    hosted.publishes<delivered>();
    return hosted;
  }

  static void post(running_node& node, const std::string& key, std::int64_t number) {
    BOOST_TEST_REQUIRE(node.events().dispatch(posted{key, number}).has_value());
  }

  // "a1" for each `delivered` in the journal.
  [[nodiscard]] static texts journaled(const journal& in) {
    texts all;
    auto read = in.read(1, {.events = 100'000, .bytes = 100'000'000}, [&](const record_view& r) {
      if (r.type->name != "test.delivered")
        return;
      auto e = decode<delivered>(r.body);
      all.push_back(e->key + std::to_string(e->number));
    });
    BOOST_TEST_REQUIRE(read.has_value());
    return all;
  }

  static durable_statistics state(running_node& node, const std::string& name = "test.notes") {
    return node.counted().durable_subscriptions.at(name);
  }
};

#define BOOST_TEST_TEXTS(a, ...) \
  BOOST_TEST((a) == (texts{__VA_ARGS__}), boost::test_tools::per_element())

}  // namespace samples
