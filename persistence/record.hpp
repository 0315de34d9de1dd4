#pragma once

// One event as the journal holds it.
//
// A view: everything that it points to belongs to the journal and lives only until the visitor that
// was handed it returns. Views may be used from any thread within that time.

#include <microlith/messages/catalog.hpp>
#include <microlith/messages/codec.hpp>
#include <microlith/messages/envelope.hpp>
#include <microlith/messages/schema.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace microlith {

/// What the journal keeps of a message type, so that it can be read without the application's code.
struct stored_type {
  std::uint32_t id = 0;  ///< of this journal only
  std::string name;
  std::uint16_t version = 1;
  std::uint64_t fingerprint = 0;
  microlith::schema schema;
};

struct record_view {
  std::uint64_t position = 0;
  const stored_type* type = nullptr;
  std::string_view stream;           ///< empty: none
  std::uint64_t stream_version = 0;  ///< 0: none
  wall_time time{};
  message_id id;
  correlation_id correlation;
  message_id causation;
  message_id root;
  message_id append;  ///< id of the append that wrote it
  std::uint16_t depth = 0;
  std::uint32_t key = 0;             ///< of the key that the body is encrypted with; 0: it is not
  std::span<const std::byte> facts;  ///< origin, principal, headers; see facts_of
  std::span<const std::byte> body;
  std::span<const std::byte> stored;  ///< all of it, as stored, checksum first: to be passed on
};

/// Origin, principal and headers of a record.
[[nodiscard]] result<conversation_facts, decode_error> facts_of(const record_view& record);

/// The event with its head restored; an older version goes through the upcasters of its type.
/// An error where the catalog does not know the type.
[[nodiscard]] result<envelope, decode_error> to_envelope(const record_view& record,
                                                         const type_catalog& catalog);

}  // namespace microlith
