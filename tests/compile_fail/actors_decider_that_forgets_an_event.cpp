// must not compile: the state changes with one event, and the other one was forgotten
// expect: an event that `decide` returns is forgotten
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

struct started_over {
  using message = microlith::event<"sample.started_over">;
};
BOOST_DESCRIBE_STRUCT(started_over, (), ())

struct counter {
  static constexpr std::string_view stream = "sample.counter";
  int total = 0;
};

std::string stream_key(const count& c) {
  return c.name;
}
std::variant<counted, started_over> decide(const counter& now, const count&) {
  if (now.total == 99)
    return started_over{};
  return counted{now.total + 1};
}
counter evolve(counter, const counted& e) {
  return {e.total};
}
#ifdef ALLOWED
counter evolve(counter, const started_over&) {
  return {};
}
#endif

auto decider = microlith::make_decider<counter, count>();  // error here
