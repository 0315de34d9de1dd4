// must not compile: an enum whose enumerators nobody lists cannot be checked or named
// expect: this type cannot be a message field
#include <microlith/messages/codec.hpp>

enum class color { red, green };
#ifdef ALLOWED
BOOST_DESCRIBE_ENUM(color, red, green)
#endif

struct painted {
  using message = microlith::event<"sample.painted">;
  color with = color::red;  // error here
};
BOOST_DESCRIBE_STRUCT(painted, (), (with))

microlith::bytes encoded() {
  return microlith::encode(painted{});
}
