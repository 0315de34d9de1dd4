// must not compile: the answer may be a failure, and nobody says what to do then
// expect: match must handle every alternative of the answer
#include <microlith/messages/outcome.hpp>

struct found {};

int told(const microlith::answer<found>& value) {
#ifdef ALLOWED
  return microlith::match(
      value, [](const found&) { return 1; }, [](const microlith::failure&) { return 2; });
#else
  return microlith::match(value, [](const found&) { return 1; });  // error here
#endif
}
