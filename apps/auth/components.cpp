#include "auth/components.hpp"

#include "auth/idempotency.hpp"
#include "auth/messages.hpp"
#include "auth/session.hpp"
#include "auth/user.hpp"
#include "auth/users.hpp"

namespace auth {

microlith::component commands_component() {
  microlith::component commands{"auth.commands"};
  commands.handles<user, register_command, login_command>();
  commands.handles<session, logout_command, extend_session_command>();
  commands.handles<idempotency_key, claim_idempotency_key_command>();
  return commands;
}

microlith::component queries_component() {
  microlith::component queries{"auth.queries"};
  queries.projects(users_projection());
  queries.answers<current_user_request>(
      std::string{users_projection_name},
      [](const current_user_request& request, const microlith::read_transaction& rows,
         microlith::context& context) { return current_user(request, rows, context.now()); });
  return queries;
}

microlith::component gateway_component() {
  microlith::component gateway{"auth.gateway"};
  gateway.dispatches<register_command, login_command, logout_command, extend_session_command,
                     claim_idempotency_key_command, current_user_request>();
  gateway.awaits<user_registered_event, register_error_raised, user_logged_in_event,
                 login_error_raised, user_logged_out_event, current_user_response,
                 idempotency_key_claimed_event, idempotency_key_known, idempotency_key_reused>();
  return gateway;
}

std::vector<microlith::component> components() {
  return {commands_component(), queries_component(), gateway_component()};
}

}  // namespace auth
