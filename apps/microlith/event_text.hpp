#pragma once

// Events as lines for people, and as JSON, by the schemas that the journal holds: no application
// code is needed. Secrets and sensitive fields are masked; what is printed is safe on a terminal.
// One thread.

#include <microlith/messages/schema_reader.hpp>
#include <microlith/persistence/record.hpp>

#include <boost/json/object.hpp>

#include <map>
#include <string>

namespace tool {

class event_text {
 public:
  /// "17  2024-02-29T12:00:00.000001Z  auth.user_registered_event  auth.user/a@b.c #1  {…}"
  [[nodiscard]] std::string line(const microlith::record_view& record);

  /// All that is known of an event, a line each.
  [[nodiscard]] std::string paragraph(const microlith::record_view& record);

  [[nodiscard]] boost::json::object json(const microlith::record_view& record);

  /// The fields alone: "{email: a@b.c, password_hash: ***}", or why they cannot be read.
  [[nodiscard]] std::string body(const microlith::record_view& record);

 private:
  using reader_or_error = microlith::result<microlith::schema_reader, microlith::decode_error>;
  const reader_or_error& reader_of(const microlith::stored_type& type);

  std::map<std::uint32_t, reader_or_error> readers_;
};

}  // namespace tool
