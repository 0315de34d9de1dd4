#pragma once

// An event as a line for people, and as JSON. What is printed is safe on a terminal. Any thread.

#include <microlith/persistence/record.hpp>

#include <boost/json/object.hpp>

#include <string>

namespace tool {

/// "17  2024-02-29T12:00:00.000001Z  auth.user_registered_event  auth.user/a@b.c@1"
[[nodiscard]] std::string event_line(const microlith::record_view& record);

[[nodiscard]] boost::json::object event_json(const microlith::record_view& record);

}  // namespace tool
