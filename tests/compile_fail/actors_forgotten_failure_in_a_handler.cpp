// must not compile: a wait in a handler may fail, too
// expect: no match for call to .*const microlith::failure&
#include <microlith/actors/command_bus.hpp>

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

void handle(const work&, microlith::context& ctx) {
#ifdef ALLOWED
  ctx.wait_for<done>().then([](const done&) {}, [](const microlith::failure&) {});
#else
  ctx.wait_for<done>().then([](const done&) {});  // error here
#endif
}
