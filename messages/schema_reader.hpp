#pragma once

// Reads encoded messages by their schema alone, without the C++ type: what tools print events with.
//
// The schema's text is trusted no more than the bytes: what is wrong with either comes back as a
// value, and nothing is allocated that the input does not justify. Constant once made; any thread.

#include <microlith/messages/decode_error.hpp>
#include <microlith/messages/describe.hpp>
#include <microlith/messages/result.hpp>
#include <microlith/messages/schema.hpp>
#include <microlith/messages/value_visitor.hpp>

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace microlith {

class schema_reader {
 public:
  /// An error where a type of the schema is none that this program knows.
  [[nodiscard]] static result<schema_reader, decode_error> make(const schema& from);

  /// Shows the fields of a message to a visitor, secrets and sensitive ones as hidden.
  [[nodiscard]] result<void, decode_error> visit(std::span<const std::byte> in,
                                                 value_visitor& visitor) const;

  /// As `print(message)`: one bounded line for people.
  [[nodiscard]] result<std::string, decode_error> print(std::span<const std::byte> in) const;
  /// As `json_of(message)`. Callers include <boost/json/value.hpp>.
  [[nodiscard]] result<boost::json::value, decode_error> to_json(
      std::span<const std::byte> in) const;

 private:
  struct layout;
  explicit schema_reader(std::shared_ptr<const layout> parsed) : layout_{std::move(parsed)} {}

  std::shared_ptr<const layout> layout_;
};

}  // namespace microlith
