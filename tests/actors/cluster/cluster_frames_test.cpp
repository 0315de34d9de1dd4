// Frames that no node would send: cut off, changed, or random, of every kind and from every peer.
// Nobody dies of them, what cannot be read is said so, and the others go on.

#include "actors/cluster/samples.hpp"

#include <microlith/actors/internal/cluster/wire.hpp>

#include <random>

using namespace microlith;
using namespace samples;
using test::answered;
using test::cluster_nodes;
namespace wire = internal::wire;

namespace {

/// A peer that the test plays.
class played_peer final : public internal::link_events {
 public:
  played_peer(cluster_nodes& nodes, const std::string& name)
      : links_{nodes.network->make_links(name)} {
    links_->start(*this);
    nodes.run();
  }
  ~played_peer() override { links_->stop(); }

  void say(const std::string& to, std::span<const std::byte> frame) {
    BOOST_REQUIRE((links_->send(to, frame) == internal::sent::taken));
  }

  void joined(const std::string&, message_id) override {}
  void arrived(const std::string&, std::span<const std::byte>) override {}
  void interrupted(const std::string&, const std::string&) override {}
  void resumed(const std::string&) override {}
  void lost(const std::string&, const std::string&) override {}

 private:
  std::unique_ptr<internal::links> links_;
};

wire::envelope an_envelope(std::uint32_t type, bytes body) {
  wire::envelope made;
  made.id = message_id::make();
  made.correlation = correlation_id::make();
  made.root = made.id;
  made.remaining_us = 1'000'000;
  made.facts = wire::facts{"b", "ann", {"user"}, {{"trace", "1"}}, {"b", "nobody"}};
  made.type = type;
  made.body = std::move(body);
  return made;
}

wire::page a_page() {
  wire::page made;
  made.ticket = 1;
  made.records = {{1, bytes(80)}};
  made.next = 2;
  made.numbers = {1};
  made.schemas = {schema_of<account_opened>()};
  made.store = wire::store_answer{};
  return made;
}

bytes published_by_eve(const wire::envelope& event) {
  bytes frame{static_cast<std::byte>(wire::kind::published)};
  wire::published_facts facts;
  facts.facts.origin = "b";
  facts.facts.subject = "eve";
  encode_to(frame, facts);
  auto without_facts = event;
  without_facts.facts.reset();
  for (auto use : {wire::use::pass, wire::use::subscribe})
    encode_to(frame, wire::message{use, 0, without_facts});
  return frame;
}

/// One frame of each kind that a node says, as it says it. Types 0 to 2 are announced first.
std::vector<bytes> one_of_each() {
  wire::types types;
  auto add = [&](const message_type& type) {
    types.all.push_back({.number = static_cast<std::uint32_t>(types.all.size()),
                         .kind = static_cast<std::uint8_t>(type.kind),
                         .holds_secret = false,
                         .schema = *type.schema});
  };
  add(type_of<work>());
  add(type_of<account_opened>());
  add(type_of<open_account>());
  wire::append append;
  append.id = append.cause = message_id::make();
  append.facts.origin = "b";
  append.checks = {{"test.account/eve", 2, 0, {}}};
  append.events = {{an_envelope(1, encode(account_opened{"eve"})), "test.account/eve"}};
  append.rejections = {an_envelope(1, encode(account_opened{"eve"}))};
  wire::failure why{1, 1, "no", message_id::make()};
  wire::store_call call;
  call.what = wire::store_action::held;
  call.component = "test.accounts";
  call.subscription = "test.letters";
  call.positions = {1, 2};
  wire::read of_store{.ticket = 2, .what = wire::question::store, .stream = {}, .id = {}};
  of_store.store = call;
  auto asked = an_envelope(0, encode(work{1}));
  auto told = an_envelope(1, encode(account_opened{"eve"}));
  using wire::kind;
  return {
      wire::frame(kind::greeting, wire::greeting{wire::protocol, true, message_id::make(), 3}),
      wire::frame(kind::types, types),
      wire::frame(kind::routes,
                  wire::routes{false, true, {"test.work"}, {"test.account_opened"}, {}}),
      wire::frame(kind::message, wire::message{wire::use::handle, 7, asked}),
      wire::frame(kind::message, wire::message{wire::use::pass | wire::use::subscribe, 0, told}),
      published_by_eve(told),
      wire::frame(kind::finished, wire::finished{1, 2}),
      wire::frame(kind::failed, wire::failed{1, why}),
      wire::frame(kind::failed_conversation,
                  wire::failed_conversation{correlation_id::make(), message_id::make(), why}),
      wire::frame(kind::append, append),
      wire::frame(kind::append_outcome, wire::append_outcome{1, 2, 1, 1, {1}, "s", "e", 1, why}),
      wire::frame(kind::read,
                  wire::read{.ticket = 1, .events = 5, .bytes = 500, .stream = "s", .id = {}}),
      wire::frame(kind::read, of_store),
      wire::frame(kind::page, a_page()),
      wire::frame(kind::bell, wire::bell{1}),
      wire::frame(kind::placement, wire::placement{{{"test.accounts", "b", 0}}, 7}),
      wire::frame(kind::step, wire::move_step{1, 1, "test.accounts", "why"}),
      wire::frame(kind::step_report, wire::move_step{1, 6, "test.accounts", "why"}),
      wire::frame(kind::operator_question, wire::operator_question{1, "test.accounts", "b"}),
      wire::frame(kind::operator_answer, wire::operator_answer{1, "no", {}}),
  };
}

/// All that is made of the frames, and how many of those are frames that are cut off.
std::size_t say_all_wrong(cluster_nodes& nodes, played_peer& from, const std::string& to) {
  std::mt19937 random{7};
  std::size_t said = 0;
  auto say = [&](std::span<const std::byte> frame) {
    from.say(to, frame);
    if (++said % 64 == 0)
      nodes.run();
  };
  auto all = one_of_each();
  std::size_t cut_off = 0;
  for (const auto& frame : all) {
    say(frame);
    for (std::size_t size = 1; size < frame.size(); ++size) {
      say(std::span{frame}.first(size));
      ++cut_off;
    }
    auto longer = frame;
    longer.push_back(std::byte{0});
    say(longer);
    for (std::size_t i = 1; i < frame.size(); ++i) {
      auto changed = frame;
      changed[i] ^= static_cast<std::byte>(1 + random() % 255);
      say(changed);
    }
    // The same in pieces, and pieces of it.
    for (std::size_t size : {std::size_t{0}, frame.size() / 2, frame.size()}) {
      bytes piece{static_cast<std::byte>(wire::kind::fragment)};
      piece.insert(piece.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      say(piece);
      say(bytes{static_cast<std::byte>(wire::kind::last_fragment)});
    }
  }
  for (int kind = 0; kind < 256; ++kind) {
    bytes noise(1 + random() % 200);
    std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::byte>(random()); });
    noise.front() = static_cast<std::byte>(kind);
    say(noise);
  }
  nodes.run();
  return cut_off;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_frames)

BOOST_AUTO_TEST_CASE(whatever_a_peer_says_the_others_go_on) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.accounts"}}, {"x", {}}}};
  for (const char* name : {"a", "b"})
    nodes.start(name, {accounts()});
  played_peer x{nodes, "x"};
  for (const char* to : {"a", "b"}) {
    auto before = nodes.log.count("node x sent what cannot be read");
    auto cut_off = say_all_wrong(nodes, x, to);
    // Where components run is not for it to say, nor is it a tool: that is not even read.
    BOOST_TEST(nodes.log.count("node x sent what cannot be read") - before > cut_off * 3 / 4);
    BOOST_TEST(nodes.log.contain("x sent what is not for it to say"));
    BOOST_TEST(nodes.log.contain("node x sent a frame of a kind that is not known here"));
    auto opened = nodes[to].commands().dispatch_and_wait<account_opened>(
        open_account{std::string{"zoe of "} + to});
    BOOST_TEST(answered<account_opened>(opened).owner == std::string{"zoe of "} + to);
  }
  std::uint64_t positions = 0;
  auto read = nodes["a"].journal().read(1, {.events = 1'000'000}, [&](const record_view& record) {
    return record.position == ++positions;
  });
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(positions == nodes["a"].journal().last_position());
}

BOOST_AUTO_TEST_CASE(whatever_the_keeper_of_the_journal_says_a_node_lives) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.accounts"}}, {"c", {}}}};
  for (const char* name : {"b", "c"})
    nodes.start(name, {accounts()});
  {
    played_peer a{nodes, "a"};
    auto cut_off = say_all_wrong(nodes, a, "b");
    BOOST_TEST(nodes.log.count("node a sent what cannot be read") > cut_off * 3 / 4);
    BOOST_TEST(nodes["b"].cluster().node == "b");
  }
  // One that makes sense takes its place.
  nodes.run();
  nodes.stop("b");
  nodes.start("a", {accounts()});
  nodes.start("b", {accounts()});
  BOOST_TEST(
      !nodes["c"].commands().dispatch_and_wait<account_opened>(open_account{"ann"}).failed());
}

BOOST_AUTO_TEST_CASE(frames_that_mean_nothing_harm_nobody) {
  started_three at;
  auto& c = at.nodes["c"];
  std::vector<std::pair<std::string, std::vector<std::byte>>> sent;
  at.nodes.network->on_send = [&](const std::string& from, const std::string& to,
                                  std::span<const std::byte> message) {
    if (to == "a" && sent.size() < 500)
      sent.emplace_back(from, std::vector<std::byte>(message.begin(), message.end()));
  };
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(
        c.commands().dispatch_and_wait<account_opened>(open_account{std::to_string(i)}));
    static_cast<void>(c.queries().ask(ping{}));
  }
  at.nodes.network->on_send = nullptr;
  BOOST_REQUIRE(!sent.empty());
  std::mt19937 random{7};
  for (int round = 0; round < 3'000; ++round) {
    auto [from, bytes] = sent[random() % sent.size()];
    switch (random() % 3) {
      case 0:
        bytes.resize(random() % (bytes.size() + 1));
        break;
      case 1:
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        break;
      default:
        for (auto& each : bytes)
          each = static_cast<std::byte>(random());
    }
    // Not a kill, nor what the journal would take as an event of its own.
    if (bytes.empty() || bytes.front() == static_cast<std::byte>(internal::wire::kind::append))
      continue;
    at.nodes.network->inject(from, "a", std::move(bytes));
    if (round % 100 == 0)
      at.nodes.run();
  }
  at.nodes.run();
  BOOST_TEST(at.nodes["a"].journal().last_position() >= 5U);
  auto read = at.nodes["a"].journal().read(1, {}, [](const record_view&) { return true; });
  BOOST_TEST(read.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
