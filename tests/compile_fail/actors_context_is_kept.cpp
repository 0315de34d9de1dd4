// must not compile: a context is valid during its call, so a continuation gets one of its own
// expect: use of deleted function .*context\(const microlith::context&\)
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
  ctx.wait_for<done>().then(
      [](const done& e, microlith::context& then) { then.dispatch(work{e.number}); },
      [](const microlith::failure&) {});
#else
  ctx.wait_for<done>().then(
      [ctx](const done& e) mutable { ctx.dispatch(work{e.number}); },  // error here
      [](const microlith::failure&) {});
#endif
}
