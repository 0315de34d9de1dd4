#pragma once

// A message type at run time: what the buses, the journal and the tools know of a C++ message type.
//
// There is one descriptor per C++ type and process; descriptors are compared by address.
// Thread-safe.

#include <microlith/messages/codec.hpp>
#include <microlith/messages/message.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/schema.hpp>
#include <microlith/messages/secret.hpp>
#include <microlith/messages/stream_of.hpp>
#include <microlith/messages/upcast.hpp>

#include <boost/json/fwd.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace microlith {

struct message_type {
  std::string_view name;
  message_kind kind = message_kind::command;
  std::uint16_t version = 1;
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

  /// Secrets appear as "***".
  [[nodiscard]] std::string print(const void* body) const;
  /// Callers include <microlith/messages/json.hpp>; who never calls it need not compile Boost.JSON.
  [[nodiscard]] boost::json::value to_json(const void* body) const;
};

template <any_message T>
[[nodiscard]] const message_type& type_of() {
  static_assert(!(event_message<T> && holds_secret<T>),
                "an event is journaled: it cannot hold a secret");
  static const message_type type{
      .name = wire_name<T>,
      .kind = T::message::kind,
      .version = wire_version<T>,
      .holds_secret = holds_secret<T>,
      .schema = &schema_of<T>(),
      .encode = [](const void* body, bytes& out) { encode_to(out, *static_cast<const T*>(body)); },
      .decode = [](std::uint16_t version, std::span<const std::byte> in)
          -> result<std::shared_ptr<const void>, decode_error> {
        auto decoded = decode_version<T>(version, in);
        if (!decoded)
          return decoded.error();
        return std::shared_ptr<const void>{std::make_shared<const T>(std::move(*decoded))};
      },
      .stream = internal::stream_function<T>(),
      .visit = &internal::visit_erased<T>,
  };
  return type;
}

}  // namespace microlith
