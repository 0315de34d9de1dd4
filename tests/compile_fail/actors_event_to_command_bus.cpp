// must not compile: an event is no command
// expect: no matching function for call to .*dispatch\(done\)
#include <microlith/actors/command_bus.hpp>
#include <microlith/actors/event_bus.hpp>

#include <boost/describe.hpp>

struct done {
  using message = microlith::event<"sample.done">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(done, (), (number))

void send(const microlith::command_bus& commands, const microlith::event_bus& events) {
#ifdef ALLOWED
  events.dispatch(done{1});
#else
  commands.dispatch(done{1});  // error here
#endif
}
