// must not compile: the handler takes another message than the one that it is to serve
// expect: handler_of
#include <microlith/actors/command_bus.hpp>

#include <boost/describe.hpp>

struct work {
  using message = microlith::command<"sample.work">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(work, (), (number))

struct other_work {
  using message = microlith::command<"sample.other_work">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(other_work, (), (number))

void serve(const microlith::command_bus& commands) {
#ifdef ALLOWED
  auto served = commands.subscribe<work>([](const work&) {});
#else
  auto served = commands.subscribe<work>([](const other_work&) {});  // error here
#endif
}
