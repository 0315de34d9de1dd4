// must not compile: no event changes the state, because `evolve` was forgotten
// expect: no event changes the state
#include <microlith/actors/decider.hpp>

#include <boost/describe.hpp>

struct count {
  using message = microlith::command<"sample.count">;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(count, (), (name))

struct counted {
  using message = microlith::event<"sample.counted">;
  int total = 0;
};
BOOST_DESCRIBE_STRUCT(counted, (), (total))

struct counter {
  static constexpr std::string_view stream = "sample.counter";
  int total = 0;
};

std::string stream_key(const count& c) {
  return c.name;
}
counted decide(const counter& now, const count&) {
  return {now.total + 1};
}
#ifdef ALLOWED
counter evolve(counter, const counted& e) {
  return {e.total};
}
#endif

auto decider = microlith::make_decider<counter, count>();  // error here
