// States that deciders keep, so that a long stream need not be read from its first event.

#include "samples.hpp"
#include "support/node.hpp"
#include "support/scripted_journal.hpp"
#include "support/temporary_directory.hpp"

#include <filesystem>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::running_node;
namespace fs = std::filesystem;

namespace {

struct with_data {
  test::temporary_directory data;
  std::shared_ptr<test::journal_script> script = std::make_shared<test::journal_script>();

  [[nodiscard]] node_options options() const {
    return {.data = data.path(),
            .scheduler = scheduling::deterministic,
            .wrap_journal = test::scripted(script)};
  }

  // An account with so many deposits of 1, and snapshots at every third event.
  void make_account(int deposits, unsigned every = 3) const {
    running_node node{{accounts({.snapshot_every = every})}, options()};
    if (!node.events().dispatch(account_opened{"nobody"}).has_value())
      BOOST_FAIL("the first event was refused");
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
    for (int i = 0; i < deposits; ++i)
      BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
    node->advance(1s);
  }

  // The balance after one more deposit of 0; `from` is the version that the stream was read from.
  [[nodiscard]] std::int64_t balance(std::uint64_t& from,
                                     decider_options how = {.snapshot_every = 3}) const {
    script->stream_reads_from.clear();
    running_node node{{accounts(how)}, options()};
    auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 0});
    from = script->stream_reads_from.front();
    return answered<deposited>(done).balance;
  }
};

struct plain {
  static constexpr std::string_view stream = "test.plain";
  std::string name;  // not described
};

struct secretive {
  static constexpr std::string_view stream = "test.secretive";
  secret<std::string> password;
};
BOOST_DESCRIBE_STRUCT(secretive, (), (password))

struct plain_work {
  using message = microlith::command<"test.plain_work">;
  std::string key;
};
BOOST_DESCRIBE_STRUCT(plain_work, (), (key))

std::string stream_key(const plain_work& c) {
  return c.key;
}
work_done decide(const plain&, const plain_work&) {
  return {};
}
work_done decide(const secretive&, const plain_work&) {
  return {};
}
plain evolve(plain state, const work_done&) {
  return state;
}
secretive evolve(secretive state, const work_done&) {
  return state;
}

// The same account in later versions of the application, which forgot to say that their states are
// others.
namespace renamed {

struct account {
  static constexpr std::string_view stream = samples::account::stream;
  bool is_open = false;
  std::int64_t deposits = 0;  // of as many bytes as the balance was
};
BOOST_DESCRIBE_STRUCT(account, (), (is_open, deposits))

account_opened decide(const account&, const open_account& c) {
  return {c.owner};
}
deposited decide(const account& state, const deposit& c) {
  return {c.owner, state.deposits};
}
account evolve(account state, const account_opened&) {
  return state;
}
account evolve(account state, const deposited&) {
  ++state.deposits;
  return state;
}

}  // namespace renamed

namespace of_more_events {

struct account {
  static constexpr std::string_view stream = samples::account::stream;
  bool is_open = false;
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(account, (), (is_open, balance))

account_opened decide(const account&, const open_account& c) {
  return {c.owner};
}
std::variant<deposited, work_done> decide(const account& state, const deposit& c) {
  return deposited{c.owner, state.balance};
}
account evolve(account state, const account_opened&) {
  return state;
}
account evolve(account state, const deposited& e) {
  state.balance = e.balance;
  return state;
}
account evolve(account state, const work_done&) {
  return state;
}

}  // namespace of_more_events

namespace of_newer_events {

struct deposited {
  using message = microlith::event<"test.deposited", 2>;
  using previous = samples::deposited;
  std::string owner;
  std::int64_t cents = 0;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (owner, cents))

struct account {
  static constexpr std::string_view stream = samples::account::stream;
  bool is_open = false;
  std::int64_t balance = 0;  // in cents
};
BOOST_DESCRIBE_STRUCT(account, (), (is_open, balance))

account_opened decide(const account&, const open_account& c) {
  return {c.owner};
}
deposited decide(const account& state, const deposit& c) {
  return {c.owner, state.balance + 100 * c.amount};
}
account evolve(account state, const account_opened&) {
  return state;
}
account evolve(account state, const deposited& e) {
  state.balance = e.cents;
  return state;
}

}  // namespace of_newer_events

}  // namespace

namespace samples {

static of_newer_events::deposited upcast(deposited old) {
  return {std::move(old.owner), 100 * old.balance};
}

}  // namespace samples

BOOST_FIXTURE_TEST_SUITE(snapshot, with_data)

BOOST_AUTO_TEST_CASE(a_stream_is_loaded_from_its_snapshot_on) {
  make_account(6);  // seven events: snapshots at 3 and 6
  std::uint64_t from = 0;
  BOOST_TEST(balance(from) == 6);
  BOOST_TEST(from == 6U);
}

BOOST_AUTO_TEST_CASE(without_the_policy_nothing_is_kept) {
  make_account(6, 0);
  std::uint64_t from = 0;
  BOOST_TEST(balance(from, {}) == 6);
  BOOST_TEST(from == 1U);
  BOOST_TEST(!fs::exists(data.path() / "snapshots"));
}

BOOST_AUTO_TEST_CASE(a_long_stream_without_one_gets_one_when_it_is_loaded) {
  make_account(6, 0);
  std::uint64_t from = 0;
  {
    running_node node{{accounts({.snapshot_every = 3})}, options()};
    BOOST_TEST(!node.commands().dispatch_and_wait<deposited>(deposit{"ann", 0}).failed());
    node->advance(1s);
    BOOST_TEST(node.counted().snapshots_written == 1U);
  }
  BOOST_TEST(balance(from) == 6);
  BOOST_TEST(from == 7U);
}

BOOST_AUTO_TEST_CASE(snapshots_may_be_deleted) {
  make_account(6);
  fs::remove_all(data.path() / "snapshots");
  std::uint64_t from = 0;
  BOOST_TEST(balance(from) == 6);
  BOOST_TEST(from == 1U);
}

BOOST_AUTO_TEST_CASE(another_version_of_the_state_begins_at_the_first_event) {
  make_account(6);
  std::uint64_t from = 0;
  BOOST_TEST(balance(from, {.snapshot_every = 3, .snapshot_version = 2}) == 6);
  BOOST_TEST(from == 1U);
}

BOOST_AUTO_TEST_CASE(a_state_with_other_fields_or_events_begins_at_the_first_event) {
  make_account(6);
  for (bool has_other_fields : {true, false}) {
    component hosted{"test.accounts"};
    if (has_other_fields)
      hosted.handles<renamed::account, open_account, deposit>({.snapshot_every = 1000});
    else
      hosted.handles<of_more_events::account, open_account, deposit>({.snapshot_every = 1000});
    script->stream_reads_from.clear();
    running_node node{{hosted}, options()};
    auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 0});
    BOOST_TEST(answered<deposited>(done).balance == 6);
    BOOST_TEST(script->stream_reads_from.front() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_state_of_older_versions_of_its_events_begins_at_the_first_event) {
  make_account(6);
  component hosted{"test.accounts"};
  hosted.handles<of_newer_events::account, open_account, deposit>({.snapshot_every = 1000});
  script->stream_reads_from.clear();
  running_node node{{hosted}, options()};
  auto done = node.commands().dispatch_and_wait<of_newer_events::deposited>(deposit{"ann", 1});
  BOOST_TEST(answered<of_newer_events::deposited>(done).cents == 700);
  BOOST_TEST(script->stream_reads_from.front() == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_tells_only_of_what_is_durable) {
  running_node node{{accounts({.snapshot_every = 2})}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  script->refuses = [](const append_request&) { return test::disk_is_full(); };
  // The second and the fourth event would be kept; both are decided and then refused.
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(node.commands().dispatch(deposit{"ann", 1}).has_value());
  node->advance(1s);
  BOOST_TEST(node.counted().snapshots_written == 0U);
  script->refuses = {};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 7}).failed());
  node->advance(1s);
  BOOST_TEST(node.counted().snapshots_written == 1U);
}

BOOST_AUTO_TEST_CASE(a_busy_stream_is_kept_while_more_is_on_its_way) {
  running_node node{{accounts({.snapshot_every = 2})}, options()};
  BOOST_TEST(node.commands().dispatch(open_account{"ann"}).has_value());
  for (int i = 0; i < 6; ++i)
    BOOST_TEST(node.commands().dispatch(deposit{"ann", 1}).has_value());
  node->advance(1s);
  BOOST_TEST(script->batches.size() < 7U);
  BOOST_TEST(node.counted().snapshots_written == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_ahead_of_a_restored_journal_is_ignored) {
  auto backup = data.path() / "backup";
  make_account(2);
  fs::create_directories(backup);
  for (const char* part : {"journal", "index"})
    fs::copy(data.path() / part, backup / part, fs::copy_options::recursive);
  std::uint64_t from = 0;
  {
    running_node node{{accounts({.snapshot_every = 3})}, options()};
    for (int i = 0; i < 4; ++i)
      BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 100}).failed());
    node->advance(1s);
  }
  BOOST_TEST(balance(from) == 402);
  BOOST_TEST(from == 6U);
  for (const char* part : {"journal", "index"}) {
    fs::remove_all(data.path() / part);
    fs::copy(backup / part, data.path() / part, fs::copy_options::recursive);
  }
  // The journal ends before the snapshot.
  BOOST_TEST(balance(from, {.snapshot_every = 1000}) == 2);
  // It has grown past the snapshot, with other events.
  {
    running_node node{{accounts()}, options()};
    for (int i = 0; i < 8; ++i)
      BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  }
  BOOST_TEST(balance(from) == 10);
  BOOST_TEST(from == 6U);
  BOOST_TEST(script->stream_reads_from.size() == 2U);
  BOOST_TEST(script->stream_reads_from.back() == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_of_another_journal_is_ignored) {
  make_account(6);
  for (const char* part : {"journal", "index"})
    fs::remove_all(data.path() / part);
  make_account(2, 0);
  std::uint64_t from = 0;
  BOOST_TEST(balance(from) == 2);
  BOOST_TEST(from == 1U);
}

BOOST_AUTO_TEST_CASE(a_state_that_cannot_be_kept_is_refused_if_snapshots_are_asked_for) {
  auto start = [&](auto add) {
    component hosted{"test.plain"};
    add(hosted);
    auto started = microlith::node::start(options(), {hosted});
    return started ? std::string{} : started.error().text;
  };
  BOOST_TEST(start([](component& c) { c.handles<plain, plain_work>(); }).empty());
  BOOST_TEST(start([](component& c) { c.handles<secretive, plain_work>(); }).empty());
  auto refused = start([](component& c) { c.handles<plain, plain_work>({.snapshot_every = 10}); });
  BOOST_TEST(refused.find("test.plain") != std::string::npos);
  BOOST_TEST(refused.find("BOOST_DESCRIBE_STRUCT") != std::string::npos);
  refused = start([](component& c) { c.handles<secretive, plain_work>({.snapshot_every = 10}); });
  BOOST_TEST(refused.find("secret") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(snapshots_are_written_on_threads) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  {
    running_node node{{accounts({.snapshot_every = 1})}, threaded};
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}, 60s).failed());
    test::eventually([&] { return node.counted().snapshots_written == 1; }, "a snapshot");
  }
  std::uint64_t from = 0;
  BOOST_TEST(balance(from) == 0);
  BOOST_TEST(from == 1U);
  BOOST_TEST(script->stream_reads_from.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
