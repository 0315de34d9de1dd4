#include "link_proxy.hpp"
#include "running_links.hpp"
#include "support/reserved_port.hpp"

#include <microlith/actors/internal/link/handshake.hpp>
#include <microlith/actors/internal/link/socket_address.hpp>

#include <filesystem>
#include <thread>

using namespace microlith;
using namespace microlith::test;

namespace {

struct two_nodes {
  two_nodes() : b{to_a()}, a{to_b(b.address())} {
    BOOST_REQUIRE(a.events.wait_for("joined b"));
    BOOST_REQUIRE(b.events.wait_for("joined a"));
  }

  [[nodiscard]] link_options to_a() const {
    auto options = named("b", directory);
    options.peers = {{"a", "127.0.0.1:1"}};  // a dials
    return options;
  }
  [[nodiscard]] link_options to_b(const std::string& address) const {
    auto options = named("a", directory);
    options.peers = {{"b", address}};
    return options;
  }

  temporary_directory directory;
  running_links b;
  running_links a;
};

/// What a stranger hears until the connection is closed.
std::string offer(const std::string& address, std::span<const std::byte> bytes, bool half_open) {
  raw_connection stranger{address};
  stranger.write(bytes);
  if (half_open)
    stranger.end_writing();
  return stranger.read_to_end();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(broker_links)

BOOST_AUTO_TEST_CASE(messages_of_several_threads_arrive_once_each_in_its_threads_order) {
  two_nodes two;
  constexpr int threads = 4;
  constexpr int each = 5'000;
  std::vector<std::thread> senders;
  for (int thread = 0; thread < threads; ++thread)
    senders.emplace_back([&, thread] {
      for (int i = 0; i < each; ++i)
        while (two.a.send("b", std::to_string(thread) + " " + std::to_string(i)) != sent::taken)
          std::this_thread::yield();
    });
  for (auto& sender : senders)
    sender.join();
  BOOST_TEST(two.b.events.wait_for_messages(threads * each));
  std::vector<int> next(threads);
  for (const auto& message : two.b.events.messages()) {
    auto thread = static_cast<std::size_t>(message[0] - '0');
    BOOST_REQUIRE(message == std::to_string(thread) + " " + std::to_string(next[thread]++));
  }
  BOOST_TEST((two.a.send("nobody", "x") == sent::unreachable));
}

BOOST_AUTO_TEST_CASE(what_leaves_together_arrives_together) {
  two_nodes two;
  constexpr std::size_t count = 1'000;
  // From the thread of the links, which writes nothing meanwhile.
  two.a.events.on_arrived = [&](const std::string& from, std::span<const std::byte>) {
    for (std::size_t i = 0; i < count; ++i)
      (void)two.a.send(from, std::to_string(i));
  };
  BOOST_TEST((two.b.send("a", "go") == sent::taken));
  BOOST_REQUIRE(two.b.events.wait_for_messages(count));
  BOOST_TEST((two.b.send("a", "again") == sent::taken));
  BOOST_REQUIRE(two.b.events.wait_for_messages(2 * count));
  auto messages = two.b.events.messages();
  for (std::size_t i = 0; i < 2 * count; ++i)
    BOOST_REQUIRE(messages[i] == std::to_string(i % count));
  // One frame holds them.
  BOOST_REQUIRE(!two.b.events.arrivals().empty());
  BOOST_TEST(two.b.events.arrivals().front() == count);
}

BOOST_AUTO_TEST_CASE(what_arrives_can_be_answered_from_within) {
  two_nodes two;
  two.b.events.on_arrived = [&](const std::string& from, std::span<const std::byte> message) {
    std::string text{reinterpret_cast<const char*>(message.data()), message.size()};
    (void)two.b.send(from, "heard " + text);
  };
  std::string large(3'000'000, 'x');
  BOOST_TEST((two.a.send("b", "one") == sent::taken));
  BOOST_TEST((two.a.send("b", large) == sent::taken));
  BOOST_TEST(two.a.events.wait_for_messages(2));
  BOOST_TEST(two.a.events.messages()[0] == "heard one");
  BOOST_TEST((two.a.events.messages()[1] == "heard " + large));
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_sends_what_it_took_and_says_goodbye) {
  two_nodes two;
  for (int i = 0; i < 1'000; ++i)
    BOOST_TEST((two.a.send("b", std::string(2'000, 'x')) == sent::taken));
  two.a.stop();
  BOOST_TEST(two.b.events.wait_for("lost a"));
  BOOST_TEST(two.b.events.messages().size() == 1'000U);
  BOOST_TEST((two.b.send("a", "x") == sent::unreachable));
  BOOST_TEST((two.a.send("b", "x") == sent::unreachable));
}

BOOST_AUTO_TEST_CASE(another_process_of_a_peer_joins_after_the_first_was_lost) {
  temporary_directory directory;
  auto b_options = named("b", directory);
  const reserved_port port;
  b_options.listen = port.address();
  b_options.peers = {{"a", "127.0.0.1:1"}};
  auto first = std::make_unique<running_links>(b_options);
  auto a_options = named("a", directory);
  a_options.peers = {{"b", port.address()}};
  running_links a{a_options};
  BOOST_TEST(a.events.wait_for("joined b"));
  first.reset();
  BOOST_TEST(a.events.wait_for("lost b"));
  running_links second{b_options};
  BOOST_TEST(a.events.wait_for("joined b", 2));
  BOOST_TEST((a.send("b", "hello") == sent::taken));
  BOOST_TEST(second.events.wait_for_messages(1));
}

BOOST_AUTO_TEST_CASE(peers_that_come_and_go_leave_no_descriptor_behind) {
  temporary_directory directory;
  const reserved_port port;
  auto b_options = named("b", directory);
  b_options.peers = {{"a", port.address()}};
  running_links b{b_options};
  auto a_options = named("a", directory);
  a_options.listen = port.address();
  a_options.peers = {{"b", b.address()}};
  auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  };
  std::ptrdiff_t before = 0;
  for (std::size_t round = 1; round <= 12; ++round) {
    {
      running_links a{a_options};
      BOOST_REQUIRE(b.events.wait_for("joined a", round));
      // Meanwhile b looks whether a can be reached.
      BOOST_TEST((b.send("a", "hello") == sent::taken));
      BOOST_REQUIRE(a.events.wait_for_messages(1));
    }
    BOOST_REQUIRE(b.events.wait_for("lost a", round));
    if (round == 1)
      before = open_descriptors();
  }
  auto until = std::chrono::steady_clock::now() + stuck_after;
  while (open_descriptors() > before && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  BOOST_TEST(open_descriptors() <= before);
}

BOOST_AUTO_TEST_CASE(connections_that_break_lose_and_double_nothing) {
  temporary_directory directory;
  auto b_options = named("b", directory);
  b_options.peers = {{"a", "127.0.0.1:1"}};
  running_links b{b_options};
  link_proxy between{b.address()};
  auto a_options = named("a", directory);
  a_options.peers = {{"b", between.address()}};
  running_links a{a_options};
  BOOST_TEST(a.events.wait_for("joined b"));
  BOOST_TEST(b.events.wait_for("joined a"));
  constexpr std::size_t count = 4'000;
  std::thread other_way{[&] {
    for (std::size_t i = 0; i < count; ++i)
      while (b.send("a", std::to_string(i)) != sent::taken)
        std::this_thread::yield();
  }};
  for (std::size_t i = 0; i < count; ++i) {
    while (a.send("b", std::to_string(i) + " " + std::string(i % 3'000, 'x')) != sent::taken)
      std::this_thread::yield();
    if (i % 1'000 == 999) {
      between.cut();
      // Each cut hits a connection that stands.
      BOOST_TEST(b.events.wait_for_messages(i - 300));
    }
  }
  other_way.join();
  BOOST_REQUIRE(b.events.wait_for_messages(count));
  BOOST_REQUIRE(a.events.wait_for_messages(count));
  auto at_a = a.events.messages();
  auto at_b = b.events.messages();
  for (std::size_t i = 0; i < count; ++i) {
    BOOST_REQUIRE((at_b[i] == std::to_string(i) + " " + std::string(i % 3'000, 'x')));
    BOOST_REQUIRE(at_a[i] == std::to_string(i));
  }
  BOOST_TEST(a.status("b").reconnects >= 1U);
  auto told = a.events.told();
  BOOST_TEST(told[0] == "joined b");
  BOOST_TEST(std::count(told.begin(), told.end(), "lost b") == 0);
}

BOOST_AUTO_TEST_CASE(a_connection_that_carries_nothing_any_more_is_noticed_and_replaced) {
  for (auto direction : {link_proxy::to_listener, link_proxy::to_dialler}) {
    temporary_directory directory;
    auto b_options = named("b", directory);
    b_options.peers = {{"a", "127.0.0.1:1"}};
    b_options.silence_limit = 200ms;
    running_links b{b_options};
    link_proxy between{b.address()};
    auto a_options = named("a", directory);
    a_options.peers = {{"b", between.address()}};
    a_options.silence_limit = 200ms;
    running_links a{a_options};
    BOOST_REQUIRE(a.events.wait_for("joined b"));
    BOOST_REQUIRE(b.events.wait_for("joined a"));
    between.stall(direction, true);
    while (a.send("b", "one") != sent::taken)
      std::this_thread::yield();
    BOOST_REQUIRE((direction == link_proxy::to_dialler ? a : b)
                      .events.wait_for(direction == link_proxy::to_dialler ? "interrupted b"
                                                                           : "interrupted a"));
    between.stall(direction, false);
    BOOST_REQUIRE(b.events.wait_for_messages(1));
    while (a.send("b", "two") != sent::taken)
      std::this_thread::yield();
    BOOST_TEST(b.events.wait_for_messages(2));
    BOOST_TEST(b.events.messages()[0] == "one");
  }
}

BOOST_AUTO_TEST_CASE(a_host_that_says_nothing_does_not_delay_a_healthy_one) {
  temporary_directory directory;
  auto silent = internal::listen_at(internal::resolve({"127.0.0.1", "0"}, true).found[0]);
  BOOST_REQUIRE(silent.descriptor >= 0);
  auto b_options = named("b", directory);
  b_options.peers = {{"a", "127.0.0.1:1"}};
  running_links b{b_options};
  auto a_options = named("a", directory);
  a_options.peers = {
      {"c", internal::local_address(silent.descriptor)}, {"b", b.address()}, {"d", "127.0.0.1:1"}};
  running_links a{a_options};
  BOOST_TEST(a.events.wait_for("joined b"));
  BOOST_TEST(!a.status("c").connected);
  BOOST_TEST(a.wait_for_problem("c", "no handshake within 2000 ms"));
  BOOST_TEST(a.wait_for_problem("d", "cannot reach d at 127.0.0.1:1"));
  BOOST_TEST(a.wait_for_problem("d", "does the node run?"));
  ::close(silent.descriptor);
}

BOOST_AUTO_TEST_CASE(strangers_get_nothing_and_harm_nothing) {
  two_nodes two;
  internal::link_bytes garbage(100'000, std::byte{0x5A});
  internal::link_bytes huge{std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0x7F}};
  BOOST_TEST(offer(two.b.address(), garbage, false) == "");
  BOOST_TEST(offer(two.b.address(), huge, false) == "");
  BOOST_TEST(offer(two.b.address(), {}, true) == "");
  BOOST_TEST(offer(two.b.address(), std::span{garbage}.first(3), false) == "");  // says no more

  // Knows the protocol and the names, but not the secret: hears a proof of it, and a refusal.
  internal::link_hello hello;
  hello.name = "a";
  hello.to = "b";
  internal::link_bytes words;
  write_hello(words, hello);
  internal::frame_writer{words, internal::frame_kind::proof}.put_bytes(internal::link_bytes(32));
  auto heard = offer(two.b.address(), words, false);
  BOOST_TEST(heard.size() > 0U);
  BOOST_TEST(heard.size() < 300U);
  BOOST_TEST(heard[heard.size() - 6] == static_cast<char>(internal::frame_kind::refusal));

  BOOST_TEST((two.a.send("b", "still here") == sent::taken));
  BOOST_TEST(two.b.events.wait_for_messages(1));
  BOOST_TEST(two.a.events.told().size() == 1U);
  BOOST_TEST(two.b.events.told().size() == 1U);
}

BOOST_AUTO_TEST_CASE(another_secret_does_not_join) {
  temporary_directory one;
  temporary_directory other;
  auto b_options = named("b", one);
  b_options.peers = {{"a", "127.0.0.1:1"}};
  running_links b{b_options};
  auto a_options = named("a", other);
  a_options.peers = {{"b", b.address()}};
  running_links a{a_options};
  BOOST_TEST(a.wait_for_problem("b", "give all nodes the same secret file"));
  BOOST_TEST(a.events.told().empty());
  BOOST_TEST(b.events.told().empty());
}

BOOST_AUTO_TEST_CASE(callers_of_one_name_work_side_by_side_up_to_a_bound) {
  temporary_directory directory;
  auto listens = named("b", directory);
  listens.caller = "caller";
  auto names = internal::names_of_callers("caller");
  for (const auto& name : names)
    listens.peers.push_back({name, {}});
  running_links b{listens};
  auto call_as = [&](const std::string& name) {
    auto calls = named(name, directory);
    calls.only_calls = true;
    calls.peers = {{"b", b.address()}};
    return std::make_unique<running_links>(std::move(calls));
  };
  std::vector<std::unique_ptr<running_links>> callers;
  for (std::size_t i = 0; i < internal::max_callers; ++i) {
    callers.push_back(call_as("caller"));
    BOOST_REQUIRE(callers.back()->events.wait_for("joined b"));
    BOOST_REQUIRE(b.events.wait_for("joined " + names[i]));
  }
  // Each is heard and answered by itself, the first as well as the last.
  for (std::size_t i = 0; i < internal::max_callers; ++i) {
    BOOST_TEST((callers[i]->send("b", "asks") == sent::taken));
    BOOST_REQUIRE(b.events.wait_for_messages(i + 1));
    BOOST_TEST((b.send(names[i], "answer " + std::to_string(i)) == sent::taken));
    BOOST_REQUIRE(callers[i]->events.wait_for_messages(1));
    BOOST_TEST(callers[i]->events.messages().front() == "answer " + std::to_string(i));
  }
  auto last = call_as("caller");
  BOOST_TEST(last->wait_for_problem("b", "as many callers as it takes at once"));
  for (const auto& what : b.events.told())
    BOOST_TEST(what.find("joined ") == 0U, what);
  callers[2]->stop();
  BOOST_TEST(last->events.wait_for("joined b"));
  BOOST_TEST(b.events.wait_for("joined " + names[2], 2));
  // The names that the others have are nobody's to give.
  BOOST_TEST(call_as(names[1])->wait_for_problem("b", "same cluster file"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_set_up_is_refused_with_words) {
  temporary_directory directory;
  caf::actor_system_config configuration;
  configuration.load<caf::io::middleman>();
  caf::actor_system system{configuration};
  auto problem_of = [&](link_options options) {
    auto made = internal::make_broker_links(system, std::move(options));
    return made ? std::string{} : made.error().text;
  };
  auto options = named("a", directory);
  options.listen = "0.0.0.0:0";
  BOOST_TEST(problem_of(options).find("--insecure") != std::string::npos);
  options.listen = "[::]:0";
  BOOST_TEST(problem_of(options).find("--insecure") != std::string::npos);
  options.insecure = true;
  BOOST_TEST(problem_of(options) == "");
  options.listen = "nonsense";
  BOOST_TEST(problem_of(options).find("cannot listen at 'nonsense'") == 0U);
  options.listen = "127.0.0.1:0";
  options.peers = {{"a", "127.0.0.1:1"}};
  BOOST_TEST(problem_of(options).find("no name of another node") != std::string::npos);
  options.peers = {{"b", "127.0.0.1:1"}, {"b", "127.0.0.1:2"}};
  BOOST_TEST(problem_of(options).find("there twice") != std::string::npos);
  options.peers = {{"b", "127.0.0.1"}};
  BOOST_TEST(problem_of(options).find("is not host:port") != std::string::npos);
  options.peers.clear();
  running_links there{named("x", directory)};
  options.listen = there.address();
  BOOST_TEST(problem_of(options).find("Stop what has this address") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_beyond_the_machine_is_not_dialled_in_the_open) {
  temporary_directory directory;
  auto options = named("a", directory);
  options.peers = {{"b", "192.0.2.1:4101"}};
  running_links a{options};
  BOOST_TEST(a.wait_for_problem("b", "beyond the machine"));
}

BOOST_AUTO_TEST_SUITE_END()
