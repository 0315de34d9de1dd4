#pragma once

// The read side: who there is, and who is signed in, as rows derived from events.
//
// The projection's functions run on its projector; `current_user` on any thread, in a transaction
// of its own. All of it can be deleted and rebuilt from the journal.

#include "auth/messages.hpp"

#include <microlith/persistence/projection.hpp>
#include <microlith/persistence/table.hpp>

#include <string_view>

namespace auth {

inline constexpr std::string_view users_projection_name = "auth.users";

/// Keeps the tables of users and sign-ins. Sign-ins that are over are removed, a few with every new
/// one, so that there are never many more rows than live sign-ins.
[[nodiscard]] microlith::projection users_projection();

/// Nobody, for a sign-in that is unknown or over.
[[nodiscard]] current_user_response current_user(const current_user_request& request,
                                                 const microlith::read_transaction& rows,
                                                 microlith::wall_time now);

}  // namespace auth
