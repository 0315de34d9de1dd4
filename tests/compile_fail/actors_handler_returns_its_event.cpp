// must not compile: a handler returns the event that it has to dispatch, which would be lost
// expect: returns would be lost
#include <microlith/actors/command_bus.hpp>

#include <boost/describe.hpp>

struct work {
  using message = microlith::command<"sample.work">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(work, (), (number))

struct work_done {
  using message = microlith::event<"sample.work_done">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(work_done, (), (number))

void serve(const microlith::command_bus& commands) {
#ifdef ALLOWED
  auto served = commands.subscribe<work>(
      [](const work& c, microlith::context& ctx) { ctx.dispatch(work_done{c.number}); });
#else
  auto served =
      commands.subscribe<work>([](const work& c) { return work_done{c.number}; });  // error here
#endif
}
