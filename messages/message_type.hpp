#pragma once

// A message type at run time: what the buses, the journal and the tools know of a C++ message type.
//
// There is one descriptor per C++ type and process; descriptors are compared by address.
// Thread-safe.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/recycled.hpp>
#include <microlith/messages/schema.hpp>
#include <microlith/messages/secret.hpp>
#include <microlith/messages/stream_of.hpp>
#include <microlith/messages/upcast.hpp>

#include <boost/json/fwd.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace microlith {

struct message_type {
  std::string_view name;
  message_kind kind = message_kind::command;
  std::uint16_t version = 1;
  std::uint16_t oldest = 1;  ///< version that can still be read
  bool holds_secret = false;
  const microlith::schema* schema = nullptr;  ///< with its fingerprint

  /// Appends the encoded body to `out`.
  void (*encode)(const void* body, bytes& out) = nullptr;
  /// Decodes a body that was written in `version`, through upcasters where that is an older one.
  result<std::shared_ptr<const void>, decode_error> (*decode)(
      std::uint16_t version, std::span<const std::byte> in) = nullptr;
  /// Name of the stream that an event belongs to by itself; null where no `stream_of` is declared.
  std::string (*stream)(const void* body) = nullptr;
  /// Shows a body to a visitor, field by field.
  void (*visit)(const void* body, value_visitor& visitor) = nullptr;
  /// The schema of a version from `oldest` on; null for another one.
  const microlith::schema* (*schema_of_version)(std::uint16_t version) = nullptr;

  /// Secrets appear as "***".
  [[nodiscard]] std::string print(const void* body) const;
  /// Callers include <microlith/messages/json.hpp>; who never calls it need not compile Boost.JSON.
  [[nodiscard]] boost::json::value to_json(const void* body) const;
};

/// Names of events whose `stream_of` some of the program's files see and others do not: what the
/// linker makes of such a type is chance. Nodes do not start with one. Complete from the beginning
/// of `main` on.
[[nodiscard]] std::vector<std::string_view> half_declared_streams();

/// All types that the program's code mentions, the newest version of each name, by name. Complete
/// from the beginning of `main` on.
[[nodiscard]] std::vector<const message_type*> program_types();

namespace internal {

/// Called before `main`, once a type, or twice where it is half declared.
bool add_program_type(const message_type& type, bool stream_is_seen);

// Two of these exist for one event where some files see its `stream_of` and others do not.
template <any_message T, bool stream_is_seen>
struct in_program {
  static const bool value;
};

template <any_message T>
const schema* schema_of_version(std::uint16_t version) {
  if (version == wire_version<T>)
    return &schema_of<T>();
  if constexpr (has_previous<T>)
    return schema_of_version<typename T::previous>(version);
  else
    return nullptr;
}

}  // namespace internal

template <any_message T>
[[nodiscard]] const message_type& type_of() {
  static_cast<void>(&internal::in_program<T, internal::belongs_to_stream<T>>::value);
  static_assert(!(event_message<T> && holds_secret<T>),
                "an event is journaled: it cannot hold a secret");
  static_assert(!(event_message<T> && internal::has_wrong_stream_of<T>),
                "`stream_of(const Event&)` returns a microlith::stream_id");
  static const message_type type{
      .name = wire_name<T>,
      .kind = T::message::kind,
      .version = wire_version<T>,
      .oldest = oldest_version<T>(),
      .holds_secret = holds_secret<T>,
      .schema = &schema_of<T>(),
      .encode = [](const void* body, bytes& out) { encode_to(out, *static_cast<const T*>(body)); },
      .decode = [](std::uint16_t version, std::span<const std::byte> in)
          -> result<std::shared_ptr<const void>, decode_error> {
        auto decoded = decode_version<T>(version, in);
        if (!decoded)
          return decoded.error();
        return std::shared_ptr<const void>{
            std::allocate_shared<const T>(internal::recycling_allocator<T>{}, std::move(*decoded))};
      },
      .stream = internal::stream_function<T>(),
      .visit = &internal::visit_erased<T>,
      .schema_of_version = &internal::schema_of_version<T>,
  };
  return type;
}

template <any_message T, bool stream_is_seen>
const bool internal::in_program<T, stream_is_seen>::value =
    internal::add_program_type(type_of<T>(), stream_is_seen);

}  // namespace microlith
