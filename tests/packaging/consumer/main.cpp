#include <microlith/actors/node.hpp>

#include <boost/describe.hpp>

#include <filesystem>
#include <iostream>
#include <string>
#include <variant>

namespace {

struct greet_command {
  using message = microlith::command<"consumer.greet_command">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(greet_command, (), (name))

struct greeted_event {
  using message = microlith::event<"consumer.greeted_event">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(greeted_event, (), (name))

}  // namespace

// Takes an empty directory for the data.
int main(int, char** arguments) {
  microlith::component greeter{"consumer.greeter"};
  greeter.publishes<greeted_event>().serves<greet_command>(
      [](const greet_command& command, microlith::context& context) {
        context.dispatch(greeted_event{command.name});
      });

  auto node = microlith::node::start({.data = arguments[1]}, {greeter});
  if (!node) {
    std::cerr << node.error().text << '\n';
    return 1;
  }
  auto answer = node->commands().dispatch_and_wait<greeted_event>(greet_command{"world"});
  return microlith::match(
      answer,
      [&](const greeted_event& event) {
        std::cout << "event " << answer.position << ": " << event.name << '\n';
        return event.name == "world" && answer.position == 1 ? 0 : 1;
      },
      [](const microlith::failure& why) {
        std::cerr << to_string(why) << '\n';
        return 1;
      });
}
