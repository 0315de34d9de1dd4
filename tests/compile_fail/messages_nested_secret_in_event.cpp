// must not compile: a secret in a container of nested structs is a secret in the event
// expect: an event is journaled: it cannot hold a secret
#include <microlith/messages/message_type.hpp>

struct device {
#ifdef ALLOWED
  int pin = 0;
#else
  microlith::secret<int> pin;  // error here
#endif
};
BOOST_DESCRIBE_STRUCT(device, (), (pin))

struct enrolled {
  using message = microlith::event<"sample.enrolled">;
  std::map<std::string, std::vector<device>> devices;
};
BOOST_DESCRIBE_STRUCT(enrolled, (), (devices))

const auto& type = microlith::type_of<enrolled>();
