// must not compile: an event is journaled, and a secret must never be
// expect: an event is journaled: it cannot hold a secret
#include <microlith/messages/message_type.hpp>

struct registered {
  using message = microlith::event<"sample.registered">;
  std::string email;
#ifdef ALLOWED
  std::string password_hash;
#else
  microlith::secret<std::string> password_hash;  // error here
#endif
};
BOOST_DESCRIBE_STRUCT(registered, (), (email, password_hash))

const auto& type = microlith::type_of<registered>();
