#include "auth/users.hpp"

#include <string>
#include <tuple>
#include <vector>

namespace auth {

namespace {

using microlith::event_info;
using microlith::wall_time;
using microlith::write_transaction;

struct user_row {
  auth::role role = auth::role::user;
};
BOOST_DESCRIBE_STRUCT(user_row, (), (role))

struct session_row {
  std::string email;
  wall_time expires_at{};
  wall_time ends_at{};
};
BOOST_DESCRIBE_STRUCT(session_row, (), (email, expires_at, ends_at))

struct mark_row {};
BOOST_DESCRIBE_STRUCT(mark_row, (), ())

const microlith::table<std::string, user_row> users{"users"};
const microlith::table<std::string, session_row> sessions{"sessions"};
// When to look whether a sign-in is over; extending it leaves its entry alone.
const microlith::table<std::tuple<wall_time, std::string>, mark_row> reviews{"reviews"};

constexpr std::size_t reviews_per_sign_in = 16;

void review_sessions(wall_time now, write_transaction& rows) {
  std::vector<std::tuple<wall_time, std::string>> due;
  reviews.range(rows, {wall_time{}, ""}, {now, ""}, [&](const auto& key, const mark_row&) {
    due.push_back(key);
    return due.size() < reviews_per_sign_in;
  });
  for (const auto& key : due) {
    const auto& sid = std::get<std::string>(key);
    reviews.erase(rows, key);
    auto session = sessions.get(rows, sid);
    if (!session)
      continue;
    if (session->expires_at > now)
      reviews.put(rows, {session->expires_at, sid}, {});
    else
      sessions.erase(rows, sid);
  }
}

}  // namespace

microlith::projection users_projection() {
  microlith::projection projection{std::string{users_projection_name}, 1};
  projection.keeps(users, sessions, reviews);
  projection.on<user_registered_event>(
      [](const user_registered_event& event, write_transaction& rows) {
        users.put(rows, event.email, {event.role});
      });
  projection.on<user_logged_in_event>(
      [](const user_logged_in_event& event, const event_info& info, write_transaction& rows) {
        review_sessions(info.time, rows);
        sessions.put(rows, event.sid, {event.email, event.expires_at, event.ends_at});
        reviews.put(rows, {event.expires_at, event.sid}, {});
      });
  projection.on<user_session_extended_event>(
      [](const user_session_extended_event& event, write_transaction& rows) {
        sessions.update(rows, event.sid,
                        [&](session_row& session) { session.expires_at = event.expires_at; });
      });
  projection.on<user_logged_out_event>(
      [](const user_logged_out_event& event, write_transaction& rows) {
        sessions.erase(rows, event.sid);
      });
  return projection;
}

current_user_response current_user(const current_user_request& request,
                                   const microlith::read_transaction& rows,
                                   microlith::wall_time now) {
  auto session = sessions.get(rows, request.sid);
  if (!session || session->expires_at <= now)
    return {};
  auto user = users.get(rows, session->email);
  if (!user)
    return {};
  return {signed_in_user{session->email, user->role, session->expires_at, session->ends_at}};
}

}  // namespace auth
