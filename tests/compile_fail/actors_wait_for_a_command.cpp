// must not compile: the event bus carries events and rejections, so no command will ever come
// expect: no matching function for call to .*wait_for<work>
#include <microlith/actors/event_bus.hpp>

#include <boost/describe.hpp>

struct work {
  using message = microlith::command<"sample.work">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(work, (), (number))

struct done {
  using message = microlith::event<"sample.done">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(done, (), (number))

bool wait(const microlith::event_bus& events, microlith::correlation_id conversation) {
#ifdef ALLOWED
  return events.wait_for<done>(conversation).failed();
#else
  return events.wait_for<work>(conversation).failed();  // error here
#endif
}
