#pragma once

// What is asked of a journal's append, and what comes of it. Values.

#include <microlith/messages/envelope.hpp>
#include <microlith/messages/outcome.hpp>
#include <microlith/persistence/stream.hpp>

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>

namespace microlith {

/// Bounds of one append; past them it is refused.
inline constexpr std::size_t max_events_per_append = 65'536;
inline constexpr std::size_t max_event_bytes = std::size_t{16} << 20;
/// Origin, principal and headers of one event, encoded.
inline constexpr std::size_t max_facts_bytes = std::size_t{64} << 10;

struct stream_check {
  std::string stream;
  expected_version expected = expected_version::any();
  /// Where not empty: the stream's last event must come from the append with this id. A version
  /// number alone could be met by somebody else's event.
  message_id built_on = {};
};

struct new_event {
  envelope message;
  /// Empty: the event belongs to no stream and gets no version.
  std::string stream = {};
};

/// All or nothing. The journal sets `position` and `stream_version` of each message that it took.
struct append_request {
  /// The command that caused it; a second append with the same id writes nothing. Empty: not
  /// idempotent as a whole (each event still is, by its own message id).
  message_id id = {};
  boost::container::small_vector<stream_check, 1> checks = {};
  boost::container::small_vector<new_event, 1> events = {};
};

/// Requests that are written together; they stay where their owner has them.
using append_batch = std::span<append_request* const>;

/// Durable. Positions are 0 where there were no events to write.
struct appended {
  std::uint64_t first_position = 0;
  std::uint64_t last_position = 0;
  friend bool operator==(const appended&, const appended&) = default;
};

/// The append's id, or the message id of one of its events, is in the journal: nothing was written.
struct already_appended {
  std::uint64_t first_position = 0;
  std::uint64_t last_position = 0;
  friend bool operator==(const already_appended&, const already_appended&) = default;
};

/// A check was not met: nothing was written.
struct append_conflict {
  std::string stream;
  std::string expected;
  std::uint64_t actual = 0;
  friend bool operator==(const append_conflict&, const append_conflict&) = default;
};

/// "stream auth.user-a@b.c has version 3, expected no events: load it again and decide again"
[[nodiscard]] std::string to_string(const append_conflict& conflict);

/// Nothing was written (`not_done`), or, after an I/O error, it is not known whether it was
/// (`unknown`): the journal takes nothing more until it is opened again.
struct append_refused {
  failure why;
  friend bool operator==(const append_refused&, const append_refused&) = default;
};

using append_outcome = std::variant<appended, already_appended, append_conflict, append_refused>;

}  // namespace microlith
