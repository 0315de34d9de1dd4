// must not compile: nobody knows how the older version becomes the newer one
// expect: needs a function `T upcast\(previous\)`
#include <microlith/messages/upcast.hpp>

struct old_order {
  using message = microlith::event<"sample.ordered", 1>;
  int count = 0;
};
BOOST_DESCRIBE_STRUCT(old_order, (), (count))

struct ordered {
  using message = microlith::event<"sample.ordered", 2>;
  using previous = old_order;  // error here
  int count = 0;
};
BOOST_DESCRIBE_STRUCT(ordered, (), (count))

#ifdef ALLOWED
ordered upcast(old_order old) {
  return {.count = old.count};
}
#endif

auto decoded = microlith::decode_version<ordered>(1, {});
