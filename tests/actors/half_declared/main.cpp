// A program that no node may start in: one of its files sees the stream of an event, the other
// dispatches it without. Prints what the node says.

#include "event.hpp"

#include <microlith/actors/node.hpp>

#include <iostream>

microlith::stream_id stream_of(const half_declared& event) {
  return {"test.half", event.key};
}

int main() {
  auto node = microlith::node::start({}, {});
  if (!node) {
    std::cout << to_string(node.error()) << '\n';
    return 2;
  }
  auto events = node->events();
  static_cast<void>(events.dispatch(half_declared{"k"}));
  dispatch_unaware(events);
  node->stop();
  return 0;
}
