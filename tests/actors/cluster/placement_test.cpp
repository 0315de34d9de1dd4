// Every component has one place, whatever becomes of the nodes.

#include "actors/cluster/samples.hpp"
#include "support/calling_operator.hpp"
#include "support/scripted_journal.hpp"

#include <future>

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::calling_operator;
using test::cluster_nodes;
namespace wire = internal::wire;

namespace {

enum class journal_says { yes, no };

/// Where a component is said to run once the end of its move from b to c has been written, or not,
/// to a node that has begun meanwhile. With threads, so that the writer can be kept at its work.
std::string told_after_writing(journal_says how) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.accounts"}}, {"c", {}}}};
  auto& network = nodes.network;
  network = std::make_shared<test::fake_network>(test::fake_network::mode::threaded);
  std::atomic<bool> has_left{false};
  std::atomic<bool> is_writing{false};
  std::promise<void> writing;
  std::promise<void> may_write;
  std::promise<wire::placement> told_meanwhile;
  std::promise<wire::placement> told_then;
  std::atomic<int> told{0};
  network->on_send = [&](const std::string&, const std::string& to,
                         std::span<const std::byte> message) {
    if (is_left(message))
      has_left = true;
    if (!is_writing || to != "b" || !is(message, wire::kind::placement))
      return;
    if (auto before = told.fetch_add(1); before < 2)
      (before == 0 ? told_meanwhile : told_then)
          .set_value(decode<wire::placement>(message.subspan(1)).value());
  };
  auto script = std::make_shared<test::journal_script>();
  script->before_append = [&](journal&) {
    if (!has_left || is_writing.exchange(true))
      return;
    writing.set_value();
    may_write.get_future().wait();
  };
  script->refuses = [&](const append_request&) {
    return is_writing && how == journal_says::no ? std::optional{test::disk_is_full()}
                                                 : std::nullopt;
  };
  auto start = [&](const std::string& name) {
    auto started = node::start(
        {.cluster =
             cluster_options{
                 .file = "cluster.toml", .node = name, .text = nodes.text, .wiring = network},
         .log = nodes.log.writer(),
         .wrap_journal = test::scripted(script)},
        {accounts()});
    BOOST_REQUIRE(started.has_value());
    return std::move(*started);
  };
  auto a = start("a");
  auto b = start("b");
  auto c = start("c");
  BOOST_REQUIRE(test::comes_true([&] {
    auto others = a.cluster().others;
    return std::all_of(others.begin(), others.end(), [](const auto& each) { return each.there; });
  }));
  calling_operator tool{nodes};
  tool.begin_move("test.accounts", "c");
  BOOST_REQUIRE((writing.get_future().wait_for(test::stuck_after) == std::future_status::ready));
  b.stop();
  auto again = start("b");
  auto meanwhile = told_meanwhile.get_future();
  auto was_told = meanwhile.wait_for(test::stuck_after);
  may_write.set_value();
  BOOST_REQUIRE((was_told == std::future_status::ready));
  auto places = meanwhile.get().all;
  BOOST_TEST(std::none_of(places.begin(), places.end(),
                          [](const auto& each) { return each.component == "test.accounts"; }));
  auto then = told_then.get_future();
  BOOST_REQUIRE((then.wait_for(test::stuck_after) == std::future_status::ready));
  places = then.get().all;
  auto place = std::find_if(places.begin(), places.end(),
                            [](const auto& each) { return each.component == "test.accounts"; });
  BOOST_REQUIRE((place != places.end()));
  return place->node;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement)

BOOST_AUTO_TEST_CASE(a_component_stays_where_it_was_moved_after_a_restart) {
  started_three at{on_disk};
  {
    calling_operator tool{at.nodes};
    static_cast<void>(
        at.nodes["a"].commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
    BOOST_TEST(tool.move("test.accounts", "c") == "");
  }
  for (const char* name : {"a", "b", "c"})
    at.nodes.stop(name);
  // The one that the file names first: it must not begin what is not its own any more.
  at.nodes.start("b", accounts_and_balances(), {.data = at.data.path() / "b"});
  BOOST_TEST(serving(at.nodes, "b").empty());
  at.nodes.start("a", accounts_and_balances(), {.data = at.data.path() / "a"});
  BOOST_TEST(serving(at.nodes, "b").empty());
  at.nodes.start("c", accounts_and_balances(), {.data = at.data.path() / "c"});
  BOOST_TEST(serving(at.nodes, "b").empty());
  BOOST_TEST(at.nodes.log.contain("test.accounts runs on node c"));
  auto paid = at.nodes["b"].commands().dispatch_and_wait<deposited>(deposit{"ann", 3});
  BOOST_TEST(answered<deposited>(paid).balance == 3);
}

BOOST_AUTO_TEST_CASE(an_append_of_an_old_epoch_is_refused) {
  started_three at{on_disk};
  calling_operator tool{at.nodes};
  auto& b = at.nodes["b"];
  std::vector<std::byte> appended;
  at.nodes.network->on_send = [&](const std::string& from, const std::string& to,
                                  std::span<const std::byte> message) {
    if (from == "b" && to == "a" && is(message, wire::kind::append))
      appended.assign(message.begin(), message.end());
  };
  static_cast<void>(b.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  at.nodes.network->on_send = nullptr;
  BOOST_REQUIRE(!appended.empty());
  BOOST_TEST(tool.move("test.accounts", "c") == "");
  BOOST_TEST(tool.move("test.accounts", "b") == "");
  // As if b had not heard of the moves: the same once more, for somebody else.
  auto said = decode<wire::append>(std::span{appended}.subspan(1)).value();
  said.id = message_id::make();
  said.cause = said.id;
  said.checks.clear();
  for (auto& event : said.events) {
    event.envelope.id = message_id::make();
    event.stream = "test.account/bob";
  }
  auto before = at.nodes["a"].journal().last_position();
  auto send = [&](std::uint64_t epoch) {
    said.epoch = epoch;
    at.nodes.network->inject("b", "a", wire::frame(wire::kind::append, said));
    at.nodes.run();
  };
  send(0);
  send(1);
  send(3);
  BOOST_TEST(at.nodes["a"].journal().last_position() == before);
  send(2);
  BOOST_TEST(at.nodes["a"].journal().last_position() == before + 1);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_lost_in_the_middle_leaves_one_place) {
  for (const char* lost : {"a", "b", "c"}) {
    for (int steps : {1, 5, 10, 15, 20, 25, 30, 40, 60}) {
      started_three at{on_disk};
      auto paid = [&] {
        return at.nodes["b"].commands().dispatch_and_wait<deposited>(deposit{"ann", 1});
      };
      static_cast<void>(
          at.nodes["b"].commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
      at.nodes.run();
      {
        calling_operator tool{at.nodes};
        tool.begin_move("test.accounts", "c");
        for (int i = 0; i < steps; ++i) {
          if (!at.nodes.network->step())
            at.nodes.network->jump();
        }
        at.nodes.kill(lost);
      }
      at.nodes[lost == std::string_view{"a"} ? "b" : "a"].advance(10s);
      at.nodes.start(lost, accounts_and_balances(), {.data = at.data.path() / lost});
      at.nodes["a"].advance(10s);
      bool on_b = !serving(at.nodes, "b").empty();
      bool on_c = serving(at.nodes, "c").size() > 1;
      BOOST_TEST(on_b != on_c, "lost " << lost << " after " << steps);
      BOOST_TEST(answered<deposited>(paid()).balance == 1);
      BOOST_TEST(at.nodes.open_ends() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_component_that_gets_its_place_back_while_it_ends_begins_again) {
  started_three at{on_disk};
  auto& a = at.nodes["a"];
  static_cast<void>(a.commands().dispatch_and_wait<account_opened>(open_account{"ann"}));
  auto position = a.commands().dispatch_and_wait<deposited>(deposit{"ann", 3}).position;
  for (const char* place : {"b", "c"})
    at.nodes.network->inject(
        "a", "c",
        wire::frame(
            wire::kind::placement,
            wire::placement{{{"test.accounts", "b", 0}, {"test.balances", place, 0}}, position}));
  a.advance(1s);
  BOOST_TEST(answered<pong>(a.queries().ask(ping{}, {.after = position})).number == 3);
}

BOOST_AUTO_TEST_CASE(nobody_is_told_of_a_place_while_its_end_is_being_written) {
  BOOST_TEST(told_after_writing(journal_says::yes) == "c");
  BOOST_TEST(told_after_writing(journal_says::no) == "b");
}

BOOST_AUTO_TEST_SUITE_END()
