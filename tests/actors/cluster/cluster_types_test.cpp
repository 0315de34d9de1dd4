// Types that cross links: secrets, older versions, and types that two programs know differently.

#include "actors/samples.hpp"
#include "support/cluster_nodes.hpp"

using namespace microlith;
using namespace samples;
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

BOOST_AUTO_TEST_SUITE_END()
