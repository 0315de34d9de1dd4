// must not compile: a previous version is one of the same type
// expect: `previous` must have the same wire name
#include <microlith/messages/upcast.hpp>

struct old_order {
#ifdef ALLOWED
  using message = microlith::event<"sample.ordered", 1>;
#else
  using message = microlith::event<"sample.old_order", 1>;  // error here
#endif
  int count = 0;
};
BOOST_DESCRIBE_STRUCT(old_order, (), (count))

struct ordered {
  using message = microlith::event<"sample.ordered", 2>;
  using previous = old_order;
  int count = 0;
};
BOOST_DESCRIBE_STRUCT(ordered, (), (count))

ordered upcast(old_order old) {
  return {.count = old.count};
}

auto decoded = microlith::decode_version<ordered>(1, {});
