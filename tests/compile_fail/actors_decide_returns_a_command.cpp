// must not compile: a decision is made of events and rejections, not of commands
// expect: decide returns events, rejections
#include <microlith/actors/component.hpp>

#include <boost/describe.hpp>

struct work {
  using message = microlith::command<"sample.work">;
  std::string key;
};
BOOST_DESCRIBE_STRUCT(work, (), (key))

struct done {
  using message = microlith::event<"sample.done">;
  std::string key;
};
BOOST_DESCRIBE_STRUCT(done, (), (key))

struct thing {
  static constexpr std::string_view stream = "sample.thing";
  int times = 0;
};
BOOST_DESCRIBE_STRUCT(thing, (), (times))

std::string stream_key(const work& c) {
  return c.key;
}
#ifdef ALLOWED
done decide(const thing&, const work& c) {
  return {c.key};
}
#else
work decide(const thing&, const work& c) {
  return {c.key};
}  // error here
#endif
thing evolve(thing state, const done&) {
  return {state.times + 1};
}

auto hosted = microlith::component{"sample"}.handles<thing, work>();
