#include "samples.hpp"
#include "support/node.hpp"

using namespace microlith;
using namespace samples;
using namespace std::chrono_literals;
using test::answered;
using test::running_node;

namespace {

component everything() {
  component hosted{"test.everything"};
  hosted.handles<account, open_account>()
      .serves<work>([](const work& c, context& ctx) { ctx.dispatch(work_done{c.number}); })
      .answers<ping>([](const ping& q) { return pong{q.number + 1}; })
      .on<work_done>([](const work_done& e, context& ctx) {
        ctx.dispatch(open_account{std::to_string(e.number)});
      })
      .publishes<work_done>()
      .dispatches<open_account>()
      .awaits<account_opened>();
  return hosted;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(component)

BOOST_AUTO_TEST_CASE(a_component_brings_all_that_it_names) {
  running_node node{{everything()}};
  auto command = correlated(work{5});
  BOOST_REQUIRE(node.commands().dispatch(command).has_value());
  auto opened = node.events().wait_for<account_opened>(command.correlation);
  BOOST_TEST(answered<account_opened>(opened).owner == "5");
  BOOST_TEST(answered<pong>(node.queries().ask(ping{1})).number == 2);
}

BOOST_AUTO_TEST_CASE(a_component_is_described_without_being_hosted) {
  auto text = describe({everything()});
  for (const char* line :
       {"test.everything\n", "serves      command test.open_account",
        "serves      command test.work", "serves      query test.ping",
        "publishes   event test.account_opened", "publishes   rejection test.account_refused",
        "publishes   event test.work_done", "listens to  event test.work_done",
        "dispatches  command test.open_account", "awaits      event test.account_opened"})
    BOOST_TEST(holds(text, line), "missing: " << line << " in\n" << text);
}

BOOST_AUTO_TEST_CASE(a_description_as_a_graph_has_the_messages_between_the_components) {
  auto text = describe_dot({everything(), worker()});
  BOOST_TEST(text.starts_with("digraph "));
  BOOST_TEST(text.ends_with("}\n"));
  for (const char* edge : {"\"test.work\" -> \"test.everything\" [label=\"serves\"]",
                           "\"test.everything\" -> \"test.account_opened\" [label=\"publishes\"]",
                           "\"test.work_done\" -> \"test.everything\" [label=\"listens to\"]",
                           "\"test.everything\" -> \"test.open_account\" [label=\"dispatches\"]",
                           "\"test.worker\" -> \"test.work_done\" [label=\"publishes\"]"})
    BOOST_TEST(holds(text, edge), "missing: " << edge << " in\n" << text);
}

BOOST_AUTO_TEST_CASE(a_component_without_a_proper_name_is_refused) {
  for (const char* name : {"", "../x", "two words"}) {
    auto started = node::start({}, {microlith::component{name}});
    BOOST_REQUIRE(!started);
    BOOST_TEST(holds(started.error().text, "a component cannot be called"), started.error().text);
  }
}

BOOST_AUTO_TEST_CASE(one_component_may_be_hosted_by_several_nodes) {
  auto hosted = everything();
  running_node first{{hosted}};
  running_node second{{hosted}};
  for (auto* node : {&first, &second})
    BOOST_TEST(!node->commands().dispatch_and_wait<work_done>(work{1}).failed());
}

BOOST_AUTO_TEST_SUITE_END()
