// Types that cross links: secrets, older versions, types that two programs know differently, and
// values that cannot be encoded.

#include "actors/samples.hpp"
#include "support/cluster_nodes.hpp"

using namespace microlith;
using namespace samples;
using test::answered;
using test::cluster_nodes;
using test::failure_of;

namespace cluster_type_samples {

struct sign_in {
  using message = command<"test.sign_in">;
  std::string who;
  secret<std::string> password;
};
BOOST_DESCRIBE_STRUCT(sign_in, (), (who, password))

/// A type of two programs that do not agree.
namespace older {
struct order {
  using message = command<"test.order">;
  std::string item;
};
BOOST_DESCRIBE_STRUCT(order, (), (item))
}  // namespace older

namespace other {
struct order {
  using message = command<"test.order">;
  std::string item;
  std::int64_t count = 1;
};
BOOST_DESCRIBE_STRUCT(order, (), (item, count))
}  // namespace other

namespace newer {
struct order {
  using message = command<"test.order", 2>;
  using previous = older::order;
  std::string item;
  std::int64_t count = 1;
};
BOOST_DESCRIBE_STRUCT(order, (), (item, count))
}  // namespace newer

namespace older {
inline newer::order upcast(order old) {
  return {old.item, 7};
}
}  // namespace older

/// Encoding one that is neither throws.
enum class shade : std::uint8_t { light, dark };
BOOST_DESCRIBE_ENUM(shade, light, dark)
constexpr auto no_shade = static_cast<shade>(9);

struct paint {
  using message = command<"test.paint">;
  shade with = shade::light;
};
BOOST_DESCRIBE_STRUCT(paint, (), (with))

struct painted {
  using message = event<"test.painted">;
  shade with = shade::light;
};
BOOST_DESCRIBE_STRUCT(painted, (), (with))

struct paint_refused {
  using message = rejection<"test.paint_refused">;
  shade with = shade::light;
};
BOOST_DESCRIBE_STRUCT(paint_refused, (), (with))

struct seen {
  using message = response<"test.seen">;
  shade what = shade::light;
};
BOOST_DESCRIBE_STRUCT(seen, (), (what))

struct look {
  using message = query<"test.look", seen>;
};
BOOST_DESCRIBE_STRUCT(look, (), ())

/// The journal with a, and whoever asks on the other node.
const cluster_nodes::placement two{{"a", {"journal"}}, {"b", {}}};

}  // namespace cluster_type_samples

using namespace cluster_type_samples;

BOOST_AUTO_TEST_SUITE(cluster_types)

BOOST_AUTO_TEST_CASE(a_secret_crosses_no_link_that_others_may_read) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.gate"}}}};
  nodes.text.replace(nodes.text.find("127.0.0.1:4102"), 14, "10.0.0.7:41020");
  component gate{"test.gate"};
  gate.serves<sign_in>([](const sign_in&) {}).serves<work>([](const work&) {});
  auto start = [&](const std::string& name, bool insecure) {
    return node::start({.scheduler = scheduling::deterministic,
                        .cluster = cluster_options{.file = "cluster.toml",
                                                   .node = name,
                                                   .insecure = insecure,
                                                   .text = nodes.text,
                                                   .wiring = nodes.network}},
                       {gate});
  };
  auto refused = start("b", false);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().text.find("--insecure") != std::string::npos);
  auto b = start("b", true).value();
  auto a = start("a", true).value();
  a.run();
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(work{1}).failed());
  auto ended = a.commands().dispatch_and_wait<accepted>(sign_in{"ann", "hush"});
  BOOST_TEST(failure_of(ended).text.find("holds a secret") != std::string::npos);
  BOOST_TEST(failure_of(ended).certainty == certainty::not_done);
}

BOOST_AUTO_TEST_CASE(an_older_version_is_read_through_its_upcaster) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.shop"}}}};
  std::int64_t count = 0;
  component old_shop{"test.shop"};
  old_shop.serves<older::order>([](const older::order&) {});
  component new_shop{"test.shop"};
  new_shop.serves<newer::order>([&](const newer::order& o) { count = o.count; });
  auto& a = nodes.start("a", {old_shop});
  auto& b = nodes.start("b", {new_shop});
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(older::order{"tea"}).failed());
  BOOST_TEST(count == 7);
  static_cast<void>(b);
}

BOOST_AUTO_TEST_CASE(a_type_that_differs_is_refused_alone_and_the_difference_named) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {"test.shop"}}}};
  component one{"test.shop"};
  one.serves<older::order>([](const older::order&) {}).serves<work>([](const work&) {});
  component another{"test.shop"};
  another.serves<other::order>([](const other::order&) {}).serves<work>([](const work&) {});
  auto& a = nodes.start("a", {one});
  nodes.start("b", {another});
  auto refused = a.commands().dispatch_and_wait<accepted>(older::order{"tea"});
  BOOST_TEST(failure_of(refused).certainty == certainty::not_done);
  BOOST_TEST(failure_of(refused).text.find("test.order") != std::string::npos);
  BOOST_TEST(failure_of(refused).text.find("added count: i64") != std::string::npos);
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(work{1}).failed());
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_be_encoded_ends_alone) {
  cluster_nodes nodes{two};
  auto& a = nodes.start("a");
  auto& b = nodes.start("b");
  auto painter = b.commands().subscribe<paint>([](const paint&) {}).value();
  nodes.run();
  BOOST_TEST(a.commands().dispatch(paint{no_shade}).has_value());
  auto ended = a.commands().dispatch_and_wait<accepted>(paint{no_shade});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).certainty == certainty::not_done);
  BOOST_TEST(failure_of(ended).text.find("test.paint") != std::string::npos);
  BOOST_TEST(failure_of(ended).text.find("enum value 9") != std::string::npos);
  BOOST_TEST(a.statistics().refused.at("handler_failed") == 2U);
  BOOST_TEST(nodes.log.count("test.paint cannot be sent to another node") == 1U);  // for a while
  BOOST_TEST(!a.commands().dispatch_and_wait<accepted>(paint{shade::dark}).failed());
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_encoded_ends_the_wait_for_it) {
  cluster_nodes nodes{two};
  auto& a = nodes.start("a");
  auto& b = nodes.start("b");
  auto what = no_shade;
  auto eyes = b.queries().subscribe<look>([&](const look&) { return seen{what}; }).value();
  nodes.run();
  auto ended = a.queries().ask(look{});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).text.find("test.seen") != std::string::npos);
  BOOST_TEST(b.statistics().dropped_for_nodes == 1U);
  BOOST_TEST(nodes.log.count("test.seen cannot be sent to another node") == 1U);
  what = shade::dark;
  BOOST_TEST((answered<seen>(a.queries().ask(look{})).what == shade::dark));
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(a_rejection_that_cannot_be_encoded_ends_the_wait_for_it) {
  cluster_nodes nodes{two};
  auto& a = nodes.start("a");
  auto& b = nodes.start("b");
  auto with = no_shade;
  // Beside the journal, whose writer says it to the node that waits.
  auto painter =
      a.commands()
          .subscribe<paint>([&](const paint&, context& ctx) { ctx.dispatch(paint_refused{with}); })
          .value();
  nodes.run();
  auto ended = b.commands().dispatch_and_wait<paint_refused>(paint{});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).text.find("test.paint_refused") != std::string::npos);
  BOOST_TEST(a.statistics().dropped_for_nodes == 1U);
  with = shade::dark;
  auto refused = b.commands().dispatch_and_wait<paint_refused>(paint{});
  BOOST_TEST((answered<paint_refused>(refused).with == shade::dark));
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_encoded_for_the_journal_of_another_node_is_not_appended) {
  cluster_nodes nodes{two};
  auto& a = nodes.start("a");
  auto& b = nodes.start("b");
  auto with = no_shade;
  auto painter =
      b.commands()
          .subscribe<paint>([&](const paint&, context& ctx) { ctx.dispatch(painted{with}); })
          .value();
  nodes.run();
  auto ended = b.commands().dispatch_and_wait<painted>(paint{});
  BOOST_TEST(failure_of(ended).kind == failure_kind::handler_failed);
  BOOST_TEST(failure_of(ended).certainty == certainty::not_done);
  BOOST_TEST(failure_of(ended).text.find("enum value 9") != std::string::npos);
  BOOST_TEST(b.statistics().handler_exceptions == 0U);  // as where the journal is its own
  BOOST_TEST(a.journal().last_position() == 0U);
  with = shade::dark;
  BOOST_TEST(
      (answered<painted>(b.commands().dispatch_and_wait<painted>(paint{})).with == shade::dark));
  BOOST_TEST(a.journal().last_position() == 1U);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_CASE(an_event_that_the_node_with_the_journal_does_not_know_passes_by) {
  cluster_nodes nodes{{{"a", {"journal"}}, {"b", {}}, {"c", {}}}};
  auto& a = nodes.start("a");
  auto& b = nodes.start("b");
  auto& c = nodes.start("c");
  auto painter =
      b.commands()
          .subscribe<paint>([](const paint& p, context& ctx) { ctx.dispatch(painted{p.with}); })
          .value();
  std::vector<shade> heard;
  auto listens = c.events().subscribe<painted>([&](const painted& e) { heard.push_back(e.with); });
  nodes.run();
  auto done = c.commands().dispatch_and_wait<painted>(paint{shade::dark});
  BOOST_TEST((answered<painted>(done).with == shade::dark));
  nodes.run();
  BOOST_TEST((heard == std::vector{shade::dark}));
  BOOST_TEST(a.journal().last_position() == 1U);
  BOOST_TEST(a.journal().types().size() == 1U);
  BOOST_TEST(nodes.open_ends() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
