// must not compile: a pointer means nothing to whoever receives it
// expect: this type cannot be a message field
#include <microlith/messages/codec.hpp>

struct greeting {
  using message = microlith::command<"sample.greeting">;
#ifdef ALLOWED
  std::string text;
#else
  const char* text = nullptr;  // error here
#endif
};
BOOST_DESCRIBE_STRUCT(greeting, (), (text))

microlith::bytes encoded() {
  return microlith::encode(greeting{});
}
