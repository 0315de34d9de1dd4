#include "samples.hpp"
#include "support/node.hpp"
#include "support/temporary_directory.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::failure_of;
using test::running_node;

namespace {

struct account_row {
  std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(account_row, (), (balance))

struct balance_response {
  using message = microlith::response<"test.balance_response">;
  std::optional<std::int64_t> balance;
};
BOOST_DESCRIBE_STRUCT(balance_response, (), (balance))

struct balance_query {
  using message = microlith::query<"test.balance_query", balance_response>;
  std::string owner;
};
BOOST_DESCRIBE_STRUCT(balance_query, (), (owner))

const table<std::string, account_row> accounts_table{"accounts"};

const table<std::string, account_row> names_table{"names"};

// How often a balance of 13 cannot be applied.
unsigned failures_left = 1'000'000;

projection balances_projection() {
  projection rows{"test.balances", 1};
  rows.keeps(accounts_table)
      .on<account_opened>(
          [](const account_opened& e, write_transaction& t) { accounts_table.put(t, e.owner, {}); })
      .on<deposited>([](const deposited& e, write_transaction& t) {
        if (e.balance == 13 && failures_left != 0) {
          --failures_left;
          throw std::runtime_error{"thirteen"};
        }
        accounts_table.put(t, e.owner, {e.balance});
      });
  return rows;
}

component balances(const std::function<void(projection&)>& change = {}) {
  auto rows = balances_projection();
  if (change)
    change(rows);
  component hosted{"test.balances"};
  hosted.projects(rows).answers<balance_query>(
      "test.balances", [](const balance_query& q, const read_transaction& t) {
        auto row = accounts_table.get(t, q.owner);
        return balance_response{row ? std::optional{row->balance} : std::nullopt};
      });
  return hosted;
}

struct with_data {
  with_data() { failures_left = 1'000'000; }
  test::temporary_directory data;
  [[nodiscard]] node_options options() const {
    return {.data = data.path(), .scheduler = scheduling::deterministic};
  }
};

std::optional<std::int64_t> balance(running_node& node, const std::string& owner) {
  return answered<balance_response>(node.queries().ask(balance_query{owner})).balance;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(projector, with_data)

BOOST_AUTO_TEST_CASE(a_projection_follows_the_journal) {
  running_node node{{accounts(), balances()}, options()};
  BOOST_TEST(!balance(node, "ann").has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 5}).failed());
  node->run();
  BOOST_TEST(balance(node, "ann").value() == 5);
  BOOST_TEST(node.counted().projection_position.at("test.balances") == 2U);
}

BOOST_AUTO_TEST_CASE(a_projection_catches_up_at_the_start) {
  {
    running_node node{{accounts()}, options()};
    BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
    for (int i = 0; i < 5; ++i)
      BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 2}).failed());
  }
  running_node node{{accounts(), balances()}, options()};
  node->run();
  BOOST_TEST(balance(node, "ann").value() == 10);
}

BOOST_AUTO_TEST_CASE(reading_ones_own_write_is_one_line) {
  running_node node{{accounts(), balances()}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  for (std::int64_t i = 1; i <= 10; ++i) {
    auto done = node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1});
    auto now = node.queries().ask(balance_query{"ann"}, {.after = done.position});
    BOOST_TEST(answered<balance_response>(now).balance.value() == i);
  }
}

BOOST_AUTO_TEST_CASE(reading_ones_own_write_works_on_threads) {
  auto threaded = options();
  threaded.scheduler = scheduling::threads;
  threaded.threads = 2;
  running_node node{{accounts(), balances()}, threaded};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}, 60s).failed());
  for (std::int64_t i = 1; i <= 12; ++i) {
    auto done = node.commands().dispatch_and_wait<deposited>(deposit{"ann", 2}, 60s);
    auto now = node.queries().ask(balance_query{"ann"}, {.limit = 60s, .after = done.position});
    BOOST_TEST_REQUIRE(answered<balance_response>(now).balance.value() == 2 * i);
  }
}

BOOST_AUTO_TEST_CASE(a_query_waits_for_a_position_that_is_still_to_come) {
  running_node node{{accounts(), balances()}, options()};
  std::optional<answer<balance_response>> got;
  node.queries().ask(balance_query{"ann"}, {.limit = 5s, .after = 2},
                     [&](const answer<balance_response>& a) { got = a; });
  node->run();
  BOOST_TEST(!got.has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  node->run();
  BOOST_TEST(!got.has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 4}).failed());
  node->run();
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(answered<balance_response>(*got).balance.value() == 4);
}

BOOST_AUTO_TEST_CASE(a_query_for_a_position_that_does_not_come_ends_at_its_limit) {
  running_node node{{accounts(), balances()}, options()};
  auto before = node->runtime()->steady_now();
  auto ended = node.queries().ask(balance_query{"ann"}, {.limit = 2s, .after = 1'000});
  BOOST_TEST(failure_of(ended).kind == failure_kind::timeout);
  BOOST_TEST((node->runtime()->steady_now() - before == 2s));
  node->advance(0s);
  BOOST_TEST(node.in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(a_projection_that_fails_stops_visibly_and_fails_the_queries_that_wait_for_it) {
  test::log_lines log;
  auto logging = options();
  logging.log = log.writer();
  running_node node{{accounts(), balances()}, logging};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 5}).failed());
  std::optional<answer<balance_response>> parked;
  node.queries().ask(balance_query{"ann"}, {.limit = 5s, .after = 3},
                     [&](const answer<balance_response>& a) { parked = a; });
  node->run();
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 8}).failed());
  node->run();
  BOOST_TEST(log.contain("thirteen"));
  BOOST_TEST(log.contain("test.balances"));
  BOOST_REQUIRE(parked.has_value());
  BOOST_TEST(failure_of(*parked).kind == failure_kind::handler_failed);
  auto later = node.queries().ask(balance_query{"ann"}, {.after = 3});
  BOOST_TEST(failure_of(later).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(later).text.find("test.balances") != std::string::npos);
  BOOST_TEST(balance(node, "ann").value() == 5);
  // The write side goes on.
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  BOOST_TEST(node.counted().projection_position.at("test.balances") == 2U);
}

BOOST_AUTO_TEST_CASE(how_far_a_projection_is_can_be_seen) {
  running_node node{{accounts(), balances()}, options()};
  BOOST_TEST(!node->progress_of("test.nothing").has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 5}).failed());
  node->run();
  auto progress = node->progress_of("test.balances").value();
  BOOST_TEST(progress.position == 2U);
  BOOST_TEST(progress.lag == 0U);
  BOOST_TEST(progress.caught_up);
  BOOST_TEST(!progress.stopped);
  BOOST_TEST(progress.trouble.empty());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 8}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  node->run();
  progress = node.counted().projections.at("test.balances");
  BOOST_TEST(progress.position == 2U);
  BOOST_TEST(progress.lag == 2U);
  BOOST_TEST(!progress.caught_up);
  BOOST_TEST(progress.stopped);
  BOOST_TEST(progress.trouble.find("thirteen") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_projection_that_skips_says_so_and_goes_on) {
  test::log_lines log;
  auto logging = options();
  logging.log = log.writer();
  running_node node{{accounts(), balances([](projection& p) { p.skips_failures(); })}, logging};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 13}).failed());
  auto done = node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1});
  auto now = node.queries().ask(balance_query{"ann"}, {.after = done.position});
  BOOST_TEST(answered<balance_response>(now).balance.value() == 14);
  BOOST_TEST(node->progress_of("test.balances")->skipped_events == 1U);
  BOOST_TEST_REQUIRE(node->rows("test.balances")->skipped().size() == 1U);
  BOOST_TEST(node->rows("test.balances")->skipped().front().why == "thirteen");
  BOOST_TEST(log.contain("test.balances skipped events"));
}

BOOST_AUTO_TEST_CASE(a_projection_tries_again_when_the_time_has_come) {
  failures_left = 4;  // each attempt tries the whole page first, then the event by itself
  running_node node{{accounts(), balances([](projection& p) {
                       p.retries_failures({.times = 5, .first_delay = 1s, .max_delay = 10s});
                     })},
                    options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 13}).failed());
  node->run();
  BOOST_TEST(failures_left == 2U);
  BOOST_TEST(node->progress_of("test.balances")->trouble.find("thirteen") != std::string::npos);
  BOOST_TEST(!node->progress_of("test.balances")->stopped);
  // A bell does not bring it forward.
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  node->advance(900ms);
  BOOST_TEST(failures_left == 2U);
  node->advance(100ms);
  BOOST_TEST(failures_left == 0U);
  node->advance(2s);
  BOOST_TEST(balance(node, "ann").value() == 14);
  BOOST_TEST(node->progress_of("test.balances")->trouble.empty());
}

BOOST_AUTO_TEST_CASE(a_projection_is_rebuilt_while_the_node_runs) {
  failures_left = 2;
  running_node node{{accounts(), balances()}, options()};
  BOOST_TEST(!node->rebuild("test.nothing").has_value());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 13}).failed());
  node->run();
  BOOST_TEST(node->progress_of("test.balances")->stopped);
  BOOST_TEST(node->rebuild("test.balances").has_value());
  BOOST_TEST(node->rebuild("test.balances").has_value());
  node->advance(0s);
  BOOST_TEST(!node->progress_of("test.balances")->stopped);
  BOOST_TEST(!node->progress_of("test.balances")->rebuilding);
  BOOST_TEST(node->progress_of("test.balances")->caught_up);
  BOOST_TEST(balance(node, "ann").value() == 13);
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1}).failed());
  node->run();
  BOOST_TEST(balance(node, "ann").value() == 14);
}

BOOST_AUTO_TEST_CASE(a_query_reads_all_projections_of_a_group_at_once) {
  projection names{"test.names", 1};
  names.keeps(names_table).on<account_opened>([](const account_opened& e, write_transaction& t) {
    names_table.put(t, e.owner, {});
  });
  projection_group group{"test.bank"};
  group.add(names).add(balances_projection());
  component bank{"test.bank"};
  bank.projects(group).answers<balance_query>(
      "test.bank", [](const balance_query& q, const read_transaction& t) {
        BOOST_TEST(names_table.contains(t, q.owner) == accounts_table.contains(t, q.owner));
        auto row = accounts_table.get(t, q.owner);
        return balance_response{row ? std::optional{row->balance} : std::nullopt};
      });
  running_node node{{accounts(), bank}, options()};
  auto done = node.commands().dispatch_and_wait<accepted>(open_account{"ann"});
  auto now = node.queries().ask(balance_query{"ann"}, {.after = done.position});
  BOOST_TEST(answered<balance_response>(now).balance.value() == 0);
}

BOOST_AUTO_TEST_CASE(inline_rows_are_there_when_the_answer_comes) {
  auto inlined = [](projection& p) { p.is_inline(); };
  running_node node{{accounts(), balances(inlined)}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(deposit{"ann", 5}).failed());
  BOOST_TEST(balance(node, "ann").value() == 5);
  BOOST_TEST(node->progress_of("test.balances")->caught_up);
  // What its rows cannot hold does not happen.
  auto refused = node.commands().dispatch_and_wait<accepted>(deposit{"ann", 8});
  BOOST_TEST(failure_of(refused).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(refused).certainty == certainty::not_done);
  BOOST_TEST(failure_of(refused).text.find("thirteen") != std::string::npos);
  BOOST_TEST(node->journal().last_position() == 2U);
  auto done = node.commands().dispatch_and_wait<accepted>(deposit{"ann", 1});
  auto now = node.queries().ask(balance_query{"ann"}, {.after = done.position});
  BOOST_TEST(answered<balance_response>(now).balance.value() == 6);
  component late{"test.late"};
  auto another = projection{"test.another", 1};
  late.projects(another.is_inline());
  auto hosted = node->host(late);
  BOOST_REQUIRE(!hosted.has_value());
  BOOST_TEST(hosted.error().text.find("test.another") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_rows_of_a_projection_are_found_by_its_name) {
  running_node node{{accounts(), balances()}, options()};
  BOOST_TEST(node.worker().rows("test.balances") != nullptr);
  BOOST_TEST(node.worker().rows("test.nothing") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_projection_needs_a_data_directory) {
  auto started = microlith::node::start({.scheduler = scheduling::deterministic}, {balances()});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().text.find("data") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_query_answered_from_rows_that_are_not_there_is_refused_at_the_start) {
  component lost{"test.lost"};
  lost.answers<ping>("test.misspelt", [](const ping&, const read_transaction&) { return pong{}; });
  auto started = microlith::node::start({.scheduler = scheduling::deterministic}, {lost});
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().text.find("component test.lost answers test.ping from the projection "
                                       "test.misspelt, which is not hosted here: ") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_projection_may_be_hosted_later) {
  running_node node{{accounts()}, options()};
  BOOST_TEST(!node.commands().dispatch_and_wait<accepted>(open_account{"ann"}).failed());
  BOOST_REQUIRE(node->host(balances()).has_value());
  auto done = node.commands().dispatch_and_wait<accepted>(deposit{"ann", 6});
  auto now = node.queries().ask(balance_query{"ann"}, {.after = done.position});
  BOOST_TEST(answered<balance_response>(now).balance.value() == 6);
}

BOOST_AUTO_TEST_SUITE_END()
