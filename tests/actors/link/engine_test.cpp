#include "simulated_network.hpp"

#include <rapidcheck.h>

using namespace microlith;
using namespace microlith::internal;
using namespace microlith::test;

namespace {

struct pair_of_nodes {
  explicit pair_of_nodes(link_options options = {}, std::uint64_t seed = 1) : net{seed} {
    net.add("a", {"b"}, options);
    net.add("b", {"a"}, options);
    net.start();
    net.run(1s);
  }

  [[nodiscard]] simulated_node& a() { return *net.nodes["a"]; }
  [[nodiscard]] simulated_node& b() { return *net.nodes["b"]; }
  [[nodiscard]] auto& a_to_b() { return a().with["b"]; }
  [[nodiscard]] auto& b_to_a() { return b().with["a"]; }
  void check_nothing_is_wrong() {
    for (auto& [name, node] : net.nodes)
      for (const auto& what : node->wrong)
        BOOST_ERROR(name << ": " << what);
  }

  simulated_network net;
};

link_bytes hello_of(const std::string& name, const std::string& to) {
  link_hello hello;
  hello.name = name;
  hello.to = to;
  hello.incarnation = message_id::make();
  link_bytes bytes;
  write_hello(bytes, hello);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(two_nodes_join_and_what_they_say_arrives) {
  pair_of_nodes two;
  BOOST_TEST(two.a_to_b().joined);
  BOOST_TEST(two.b_to_a().joined);
  BOOST_TEST((two.a_to_b().incarnation == two.b().options.incarnation));
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST((two.a().say("b", 100) == sent::taken));
    BOOST_TEST((two.b().say("a", 1'000) == sent::taken));
  }
  two.net.run(1s);
  BOOST_TEST(two.b_to_a().heard == 100U);
  BOOST_TEST(two.a_to_b().heard == 100U);
  auto status = two.a().status("b");
  BOOST_TEST(status.connected);
  BOOST_TEST(status.messages_sent == 100U);
  BOOST_TEST(status.messages_received == 100U);
  BOOST_TEST(status.unacknowledged_bytes == 0U);
  BOOST_TEST(status.round_trip_us > 0);
  BOOST_TEST(status.problem == "");
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(the_order_in_which_nodes_start_does_not_matter) {
  for (std::string first : {"a", "b"}) {
    simulated_network net;
    auto second = first == "a" ? "b" : "a";
    auto& early = net.add(first, {second});
    net.start();
    net.run(20s);
    BOOST_TEST((early.say(second, 1) == sent::unreachable));
    auto& late = net.add(second, {first});
    late.engine->start(late, net.now);
    net.run(3s);  // the longest wait between two dials, and a bit
    BOOST_TEST((early.say(second, 1) == sent::taken));
  }
}

BOOST_AUTO_TEST_CASE(a_connection_that_breaks_heals_before_anyone_is_told) {
  pair_of_nodes two;
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 50; ++k)
      BOOST_TEST((two.a().say("b", 5'000) == sent::taken));
    two.net.run(5ms);
    two.net.cut_connections();
    BOOST_TEST((two.b().say("a", 10) == sent::taken));
    two.net.run(1s);
  }
  two.net.run(1s);
  BOOST_TEST(two.b_to_a().heard == 1'000U);
  BOOST_TEST(two.a_to_b().heard == 20U);
  BOOST_TEST(two.a_to_b().interruptions + two.b_to_a().interruptions == 0U);
  BOOST_TEST(two.a().status("b").reconnects == 20U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_cut_off_is_noticed_in_time_and_comes_back) {
  using direction = std::pair<std::string, std::string>;
  for (const auto& directions :
       std::vector<std::vector<direction>>{{{"a", "b"}, {"b", "a"}}, {{"a", "b"}}, {{"b", "a"}}}) {
    pair_of_nodes two;
    (void)two.a().say("b", 10);
    for (const auto& [from, to] : directions)
      two.net.block(from, to);
    two.net.run(2s + 100ms);
    auto noticed = two.a_to_b().interruptions + two.b_to_a().interruptions;
    BOOST_TEST(noticed >= 1U);
    two.net.run(1s);
    BOOST_TEST(two.a_to_b().interrupted);
    BOOST_TEST((two.a().say("b", 10) == sent::unreachable));
    BOOST_TEST(two.a_to_b().why != "");
    two.net.heal();
    two.net.run(4s);
    BOOST_TEST((two.a().say("b", 10) == sent::taken));
    BOOST_TEST((two.b().say("a", 10) == sent::taken));
    two.net.run(1s);
    BOOST_TEST(two.b_to_a().heard == 2U);
    BOOST_TEST(two.a_to_b().losses == 0U);
    two.check_nothing_is_wrong();
  }
}

BOOST_AUTO_TEST_CASE(a_frozen_peer_is_noticed_in_time_and_goes_on) {
  pair_of_nodes two;
  two.b().frozen = true;
  for (int i = 0; i < 10; ++i)
    BOOST_TEST((two.a().say("b", 10) == sent::taken));
  two.net.run(2s + 10ms);
  BOOST_TEST(two.a_to_b().interrupted);
  two.b().frozen = false;
  two.net.run(4s);
  BOOST_TEST(!two.a_to_b().interrupted);
  BOOST_TEST(two.b_to_a().heard == 10U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(a_node_that_stood_still_itself_hears_first_what_has_come) {
  pair_of_nodes two;
  two.b().frozen = true;
  two.net.run(1'900ms);
  two.b().frozen = false;
  two.net.run(2s);
  BOOST_TEST(two.b_to_a().interruptions == 0U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_stays_away_is_given_up_and_joins_anew) {
  pair_of_nodes two;
  (void)two.a().say("b", 10);
  two.net.run(100ms);
  two.net.block("a", "b");
  two.net.block("b", "a");
  (void)two.a().say("b", 10);
  two.net.run(15s);
  BOOST_TEST(!two.a_to_b().joined);
  BOOST_TEST(!two.b_to_a().joined);
  BOOST_TEST(two.a_to_b().losses == 1U);
  BOOST_TEST(two.a().status("b").unacknowledged_bytes == 0U);
  // Of a question that nobody asks any more nothing is said.
  BOOST_TEST(two.b().status("a").problem.find("meanwhile") == std::string::npos);
  two.net.heal();
  two.net.run(4s);
  BOOST_TEST(two.a_to_b().joined);
  BOOST_TEST((two.a().say("b", 10) == sent::taken));
  two.net.run(1s);
  BOOST_TEST(two.b_to_a().heard == 1U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(a_peer_whose_process_dies_is_lost_from_either_end_without_the_window) {
  for (std::string who : {"a", "b"}) {
    pair_of_nodes two;
    auto& witness = *two.net.nodes[who == "a" ? "b" : "a"];
    (void)witness.say(who, 10);
    two.net.kill(who);
    (void)witness.say(who, 10);
    two.net.run(refusal_limit / 2);
    BOOST_TEST(witness.with[who].losses == 0U);
    two.net.run(refusal_limit);
    BOOST_TEST(witness.with[who].losses == 1U);
    BOOST_TEST(witness.with[who].why == "nobody listens at its address any more");
    BOOST_TEST(witness.status(who).unacknowledged_bytes == 0U);
    BOOST_TEST(witness.status(who).problem.find("connection refused") != std::string::npos);
    BOOST_TEST((witness.say(who, 10) == sent::unreachable));
    // The end that dials goes on with it, the other one has nobody to ask after.
    auto dials = witness.dials;
    two.net.run(20s);
    BOOST_TEST((witness.dials > dials) == (who == "b"));
    two.check_nothing_is_wrong();
  }
}

BOOST_AUTO_TEST_CASE(a_process_that_dies_after_it_was_frozen_for_long_is_lost_as_soon) {
  for (int i = 0; i < 10; ++i) {
    std::string who = i % 2 == 0 ? "a" : "b";
    pair_of_nodes two;
    auto& witness = *two.net.nodes[who == "a" ? "b" : "a"];
    two.net.nodes[who]->frozen = true;
    two.net.run(7s + i * 300ms);  // whenever it was asked for last
    BOOST_TEST(witness.with[who].interrupted);
    two.net.kill(who);
    two.net.run(2 * refusal_limit);
    BOOST_TEST(witness.with[who].losses == 1U);
    BOOST_TEST(witness.with[who].why == "nobody listens at its address any more");
    two.check_nothing_is_wrong();
  }
}

BOOST_AUTO_TEST_CASE(a_wall_that_refuses_for_a_moment_or_in_turn_with_silence_loses_nothing) {
  pair_of_nodes two;
  auto refuse_for_a_moment = [&] {
    two.net.heal();
    two.net.close_port("a");
    two.net.close_port("b");
    two.net.run(refusal_limit - 100ms);
    two.net.heal();
  };
  for (int i = 0; i < 5; ++i) {
    (void)two.a().say("b", 10);
    (void)two.b().say("a", 10);
    two.net.cut_connections();
    refuse_for_a_moment();
    if (i % 2 == 1) {
      two.net.block("a", "b");
      two.net.run(handshake_limit + 500ms);  // of dials under way one comes to its end
      refuse_for_a_moment();
    }
    two.net.run(5s);
  }
  BOOST_TEST(two.a_to_b().losses + two.b_to_a().losses == 0U);
  BOOST_TEST(two.a_to_b().heard == 5U);
  BOOST_TEST(two.b_to_a().heard == 5U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(refusals_at_an_address_that_never_was_the_peers_mean_nothing) {
  simulated_network net;
  auto& a = net.add("a", {"b"});
  link_options astray;
  astray.peers = {{"a", "nowhere"}};  // a dials: nobody has noticed
  auto& b = net.add("b", {}, astray);
  net.start();
  net.run(10s);
  BOOST_TEST(b.dials == first_knocks);
  BOOST_TEST(b.status("a").problem == "");
  net.block("a", "b");
  (void)b.say("a", 10);
  net.run(8s);
  BOOST_TEST(b.with["a"].interrupted);
  net.heal();
  net.run(5s);
  BOOST_TEST(b.with["a"].losses == 0U);
  BOOST_TEST(a.with["b"].heard == 1U);
}

BOOST_AUTO_TEST_CASE(a_node_is_not_troubled_by_those_who_ask_whether_it_lives) {
  pair_of_nodes two;
  BOOST_TEST(two.b().dials == 1U);
  two.net.run(1min);
  BOOST_TEST(two.b().dials == 1U);
  BOOST_TEST(two.a().reports.empty());
  BOOST_TEST(two.a().engine->connection_count() == 1U);
  BOOST_TEST(two.b().engine->connection_count() == 1U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(another_process_of_the_peer_is_told_as_lost_and_joined) {
  for (std::string who : {"a", "b"}) {
    pair_of_nodes two;
    std::string other = who == "a" ? "b" : "a";
    auto& witness = *two.net.nodes[other];
    auto before = witness.with[who].incarnation;
    (void)witness.say(who, 10);
    auto& again = two.net.restart(who);
    two.net.run(3s);
    BOOST_TEST(witness.with[who].losses == 1U);
    BOOST_TEST(witness.with[who].joined);
    BOOST_TEST((witness.with[who].incarnation != before));
    BOOST_TEST((witness.with[who].incarnation == again.options.incarnation));
    BOOST_TEST((witness.say(who, 10) == sent::taken));
    two.net.run(1s);
    BOOST_TEST(again.with[other].heard == 1U);
    two.check_nothing_is_wrong();
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_goodbye_is_lost_at_once) {
  pair_of_nodes two;
  for (int i = 0; i < 1'000; ++i)
    (void)two.b().say("a", 1'000);
  two.b().engine->begin_stop(two.net.now);
  for (int i = 0; i < 100 && !two.b().engine->drained(); ++i)
    two.net.run(5ms);
  BOOST_TEST(two.b().engine->drained());
  BOOST_TEST(two.a_to_b().heard == 1'000U);
  two.b().engine->stop();
  two.b().engine->advance(two.net.now + 1h);
  BOOST_TEST((two.b().engine->deadline() == link_time::max()));
  BOOST_TEST(two.b_to_a().losses == 0U);
  two.net.run(20ms);
  BOOST_TEST(two.a_to_b().losses == 1U);
  BOOST_TEST(two.a_to_b().why == "it has stopped");
  BOOST_TEST((two.a().say("b", 1) == sent::unreachable));
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_when_the_peer_does_not_take) {
  link_options options;
  options.max_kept_bytes = 20 << 20;
  pair_of_nodes two{options};
  two.net.block("a", "b");
  std::size_t taken = 0;
  while (two.a().say("b", 100'000) == sent::taken && taken < 1'000)
    ++taken;
  BOOST_TEST(taken > 100U);
  BOOST_TEST(taken < 210U);
  BOOST_TEST((two.a().say("b", 100'000) == sent::overloaded));
  two.net.run(1s);
  two.net.heal();
  two.net.run(5s);
  BOOST_TEST(two.b_to_a().heard == taken);
  BOOST_TEST((two.a().say("b", 100'000) == sent::taken));
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(a_message_of_the_largest_size_arrives_and_a_longer_one_is_not_taken) {
  pair_of_nodes two;
  BOOST_TEST((two.a().say("b", max_link_message_bytes - sizeof(note)) == sent::taken));
  BOOST_TEST((two.a().say("b", max_link_message_bytes) == sent::overloaded));
  two.net.run(3s);
  BOOST_TEST(two.b_to_a().heard == 1U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(strangers_get_nothing_and_harm_nothing) {
  pair_of_nodes two;
  auto& b = two.b();
  auto offer = [&](const link_bytes& bytes) {
    auto id = two.net.knock(b);
    b.engine->received(id, bytes, two.net.now);
    two.net.run(3s);
  };
  link_bytes garbage(100'000);
  std::mt19937 random{1};
  for (auto& byte : garbage)
    byte = static_cast<std::byte>(random());
  offer(garbage);  // also a length beyond all bounds
  offer({});       // says nothing
  offer(link_bytes(garbage.begin(), garbage.begin() + 3));
  offer(hello_of("a", "b"));  // knows the names, not the secret
  offer(hello_of("z", "b"));  // an unknown name
  offer(hello_of("a", "z"));  // wants another node
  offer(hello_of("b", "b"));
  auto late = hello_of("a", "b");  // one byte at a time, for ever
  auto slow = two.net.knock(b);
  for (auto byte : late) {
    b.engine->received(slow, std::span{&byte, 1}, two.net.now);
    two.net.run(100ms);
  }
  BOOST_TEST(b.engine->connection_count() == 1U);
  BOOST_TEST(b.reports.size() >= 7U);
  BOOST_TEST(two.a_to_b().losses + two.a_to_b().interruptions == 0U);
  BOOST_TEST((two.a().say("b", 1) == sent::taken));
  two.net.run(1s);
  BOOST_TEST(two.b_to_a().heard == 1U);
  two.check_nothing_is_wrong();
}

BOOST_AUTO_TEST_CASE(strangers_are_bounded_and_do_not_keep_a_peer_out) {
  simulated_network net;
  auto& b = net.add("b", {"a"});
  net.start();
  for (std::size_t i = 0; i < 3 * max_unproven_connections; ++i)
    (void)net.knock(b);
  BOOST_TEST(b.engine->connection_count() == max_unproven_connections);
  auto& a = net.add("a", {"b"});
  a.engine->start(a, net.now);
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 10; ++k)
      (void)net.knock(b);
    net.run(5ms);
  }
  BOOST_TEST(a.with["b"].joined);
  net.run(3s);
  BOOST_TEST(b.engine->connection_count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_silent_host_does_not_delay_a_healthy_one) {
  simulated_network net;
  auto& a = net.add("a", {"b", "c"});
  net.add("b", {"a"});
  net.add("c", {"a"});
  net.block("a", "b");
  net.start();
  net.run(100ms);
  BOOST_TEST(a.with["c"].joined);
  BOOST_TEST(!a.with["b"].joined);
  net.run(5s);
  BOOST_TEST(a.status("b").problem.find("cannot reach b at b: no handshake within 2000 ms") == 0U);
}

BOOST_AUTO_TEST_CASE(another_secret_or_cluster_is_named_as_the_problem) {
  simulated_network net;
  auto& a = net.add("a", {"b"});
  net.add("b", {"z"});
  net.start();
  net.run(1s);
  BOOST_TEST(a.status("b").problem.find("same cluster file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_called_by_anothers_name_says_so) {
  simulated_network net;
  link_options astray;
  astray.peers = {{"b", "c"}};  // c listens there
  auto& a = net.add("a", {}, astray);
  net.add("c", {"a"});
  net.start();
  net.run(1s);
  BOOST_TEST(a.status("b").problem.find("its address belongs to another node") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_there_is_dialled_less_and_less_often) {
  simulated_network net;
  auto& a = net.add("a", {"b"});
  net.start();
  net.run(1s);
  BOOST_TEST(a.dials >= 4U);
  BOOST_TEST(a.dials <= 10U);
  net.run(1min);
  BOOST_TEST(a.dials >= 30U);
  BOOST_TEST(a.dials <= 80U);
}

BOOST_AUTO_TEST_CASE(whatever_happens_to_connections_every_message_arrives_once_and_in_order) {
  BOOST_TEST(rc::check(
      [](std::uint64_t seed, const std::vector<std::pair<std::uint8_t, std::uint16_t>>& steps) {
        link_options options;
        options.max_kept_bytes = 20 << 20;
        pair_of_nodes two{options, seed};
        two.net.bytes_a_step = 30'000;
        auto* a = &two.a();
        auto* b = &two.b();
        bool died = false;
        for (auto [what, amount] : steps) {
          switch (what % 17) {
            case 0:
            case 1:
              (void)a->say("b", amount % 300U);
              break;
            case 2:
              (void)b->say("a", amount % 300U);
              break;
            case 3:
              (void)a->say("b", amount * 20U);
              break;
            case 4:
              for (int i = 0; i < 100; ++i)
                (void)b->say("a", amount % 2'000U);
              break;
            case 5:
            case 6:
            case 7:
              two.net.run(std::chrono::milliseconds{amount % 100U});
              break;
            case 8:
              two.net.run(std::chrono::milliseconds{amount % 3'000U});
              break;
            case 9:
            case 10:
              two.net.cut_connections();
              break;
            case 11:
              two.net.block("a", "b");
              break;
            case 12:
              two.net.block("b", "a");
              break;
            case 13:
              two.net.heal();
              break;
            case 16:
              two.net.close_port(amount % 2 ? "a" : "b");
              break;
            case 14:
              (amount % 2 ? a : b)->frozen = amount % 4 < 2;
              break;
            case 15:
              // Seldom, or no session would live long.
              if (amount % 4 == 0) {
                a = amount % 8 == 0 ? &two.net.restart("a") : a;
                b = amount % 8 != 0 ? &two.net.restart("b") : b;
                died = true;
              }
              break;
          }
          RC_ASSERT(a->status("b").unacknowledged_bytes <= options.max_kept_bytes);
          // Those that knock at a frozen one wait until it is not.
          RC_ASSERT(a->engine->connection_count() <= max_unproven_connections + 2);
        }
        two.net.heal();
        a->frozen = b->frozen = false;
        two.net.bytes_a_step = 1 << 20;
        two.net.run(15s);
        RC_ASSERT(a->wrong == std::vector<std::string>{});
        RC_ASSERT(b->wrong == std::vector<std::string>{});
        RC_ASSERT(a->engine->connection_count() == 1U);
        RC_ASSERT(b->engine->connection_count() == 1U);
        auto& at_a = a->with["b"];
        auto& at_b = b->with["a"];
        RC_ASSERT(at_a.joined && at_b.joined && !at_a.interrupted && !at_b.interrupted);
        RC_ASSERT(at_b.heard == at_a.said);
        RC_ASSERT(at_a.heard == at_b.said);
        RC_CLASSIFY(died, "died");
        RC_CLASSIFY(at_a.losses + at_b.losses > 0, "lost");
        RC_CLASSIFY(at_a.interruptions + at_b.interruptions > 0, "interrupted");
        RC_CLASSIFY(a->status("b").reconnects > 0, "reconnected");
        if (!died && at_a.losses == 0 && at_b.losses == 0) {
          RC_ASSERT(at_b.heard_in_all == at_a.taken_in_all);
          RC_ASSERT(at_a.heard_in_all == at_b.taken_in_all);
        }
      }));
}

BOOST_AUTO_TEST_SUITE_END()
