// must not compile: the stream of an event is a category and a key, not a string
// expect: returns a microlith::stream_id
#include <microlith/messages/message_type.hpp>

#include <boost/describe.hpp>

struct item_sold {
  using message = microlith::event<"sample.item_sold">;
  std::string item;
};
BOOST_DESCRIBE_STRUCT(item_sold, (), (item))

#ifdef ALLOWED
microlith::stream_id stream_of(const item_sold& event) {
  return {"sample.item", event.item};
}
#else
std::string stream_of(const item_sold& event) {
  return "sample.item/" + event.item;
}
#endif

const auto& type = microlith::type_of<item_sold>();  // error here
