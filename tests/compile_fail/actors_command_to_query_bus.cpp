// must not compile: a command is no query
// expect: no matching function for call to .*dispatch\(work\)
#include <microlith/actors/command_bus.hpp>
#include <microlith/actors/query_bus.hpp>

#include <boost/describe.hpp>

struct work {
  using message = microlith::command<"sample.work">;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(work, (), (number))

void send(const microlith::command_bus& commands, const microlith::query_bus& queries) {
#ifdef ALLOWED
  commands.dispatch(work{1});
#else
  queries.dispatch(work{1});  // error here
#endif
}
