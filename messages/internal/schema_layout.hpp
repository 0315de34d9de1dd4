#pragma once

// A schema's type texts, parsed: what the bytes of a message are read by. Values.

#include <microlith/messages/schema.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace microlith::internal {

/// One type; others are named by their place in the list.
struct layout_node {
  enum class kind : std::uint8_t {
    boolean,
    integer,
    real,
    enumeration,
    text,
    byte_string,
    optional,
    list,
    map,
    time,
    duration,
    id,
    hidden,  ///< a secret or sensitive; its only child is read and not shown
    structure,
  };
  kind what = kind::boolean;
  bool is_signed = false;
  std::size_t bytes = 0;  ///< of a number
  std::intmax_t numerator = 1;
  std::intmax_t denominator = 1;
  std::vector<std::size_t> children{};
  std::vector<std::string> names{};  ///< of a struct's fields
  std::vector<std::pair<std::string, std::uint64_t>> enumerators{};
};

struct schema_layout {
  std::string type;                  ///< wire name
  std::vector<layout_node> nodes{};  ///< the message itself is the first
};

/// Empty where the schema was read; otherwise the field that was not.
[[nodiscard]] std::string parse_layout(const schema& from, schema_layout& out);

}  // namespace microlith::internal
