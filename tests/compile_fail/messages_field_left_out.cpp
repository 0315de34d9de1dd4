// must not compile: a field that was added to the struct was not added to the list of its fields
// expect: leaves a field of this struct out
#include <microlith/messages/codec.hpp>

#include <boost/describe.hpp>

struct line {
  std::string item;
  int count = 0;
};
#ifdef ALLOWED
BOOST_DESCRIBE_STRUCT(line, (), (item, count))
#else
BOOST_DESCRIBE_STRUCT(line, (), (item))
#endif

struct place_order {
  using message = microlith::command<"sample.place_order">;
  std::vector<line> lines;
};
BOOST_DESCRIBE_STRUCT(place_order, (), (lines))

auto encoded = microlith::encode(place_order{});  // error here
