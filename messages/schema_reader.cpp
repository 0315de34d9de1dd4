#include <microlith/messages/internal/schema_layout.hpp>
#include <microlith/messages/json.hpp>
#include <microlith/messages/schema_reader.hpp>

#include <bit>
#include <cstring>
#include <utility>

namespace microlith {

using internal::layout_node;

struct schema_reader::layout : internal::schema_layout {};

namespace {

using kind = layout_node::kind;

/// Is shown what nobody is to see, and takes the rest of what is cut.
class nobody final : public value_visitor {
  void boolean(bool) override {}
  void integer(std::int64_t) override {}
  void natural(std::uint64_t) override {}
  void real(float) override {}
  void real(double) override {}
  void word(std::string_view) override {}
  void text(std::string_view) override {}
  void byte_string(std::span<const std::byte>) override {}
  void time(std::int64_t, std::intmax_t, std::intmax_t) override {}
  void duration(std::int64_t, std::intmax_t, std::intmax_t) override {}
  void nothing() override {}
  void hidden() override {}
  std::size_t begin_list(std::size_t) override { return 0; }
  void end_list() override {}
  std::size_t begin_map(std::size_t) override { return 0; }
  void key(std::string_view) override {}
  void end_map() override {}
  void begin_struct() override {}
  void field(std::string_view) override {}
  void end_struct() override {}
};

struct wrong_bytes {
  decode_error error;
};

class reading {
 public:
  reading(const internal::schema_layout& layout, std::span<const std::byte> in)
      : layout_{layout}, in_{in} {}

  void all(value_visitor& visitor) {
    value(0, visitor, 0);
    if (at_ != in_.size())
      fail(std::to_string(in_.size() - at_) + " bytes are left over");
  }

 private:
  [[noreturn]] void fail(std::string reason) const {
    throw wrong_bytes{{layout_.type, {}, at_, std::move(reason)}};
  }

  std::span<const std::byte> take(std::size_t size) {
    if (in_.size() - at_ < size)
      fail("the input ends here: " + std::to_string(size) + " bytes are needed, " +
           std::to_string(in_.size() - at_) + " are left");
    at_ += size;
    return in_.subspan(at_ - size, size);
  }

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    auto raw = take(bytes);
    for (std::size_t i = bytes; i-- > 0;)
      value = value << 8 | std::to_integer<std::uint64_t>(raw[i]);
    return value;
  }

  static std::int64_t with_sign(std::uint64_t value, std::size_t bytes) {
    auto shift = 64 - 8 * bytes;
    return static_cast<std::int64_t>(value << shift) >> shift;
  }

  /// A count of things that take at least a byte each.
  std::size_t length() {
    auto count = static_cast<std::size_t>(number(4));
    if (count > in_.size() - at_)
      fail("a length of " + std::to_string(count) + " is more than the bytes that are left");
    return count;
  }

  std::string_view text() {
    auto raw = take(length());
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
  }

  message_id id() {
    auto raw = take(16);
    message_id out;
    for (std::size_t i = 0; i < 8; ++i) {
      out.high = out.high << 8 | std::to_integer<std::uint64_t>(raw[i]);
      out.low = out.low << 8 | std::to_integer<std::uint64_t>(raw[8 + i]);
    }
    return out;
  }

  bool flag() {
    auto byte = std::to_integer<unsigned>(take(1)[0]);
    if (byte > 1)
      fail("a flag must be 0 or 1, not " + std::to_string(byte));
    return byte == 1;
  }

  static const std::string* enumerator(const layout_node& node, std::uint64_t value) {
    for (const auto& [name, number] : node.enumerators) {
      if (number == value)
        return &name;
    }
    return nullptr;
  }

  std::uint64_t enum_value(const layout_node& node) {
    auto raw = number(node.bytes);
    return node.is_signed ? static_cast<std::uint64_t>(with_sign(raw, node.bytes)) : raw;
  }

  static std::string number_text(const layout_node& node, std::uint64_t value) {
    return node.is_signed ? std::to_string(static_cast<std::int64_t>(value))
                          : std::to_string(value);
  }

  std::string key(const layout_node& node) {
    if (node.what == kind::text)
      return std::string{text()};
    if (node.what == kind::id)
      return to_string(id());
    auto value = enum_value(node);
    const auto* name = enumerator(node, value);
    return name != nullptr ? *name : number_text(node, value);
  }

  void real(const layout_node& node, value_visitor& visitor) {
    auto raw = number(node.bytes);
    if (node.bytes == 4)
      visitor.real(std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
    else
      visitor.real(std::bit_cast<double>(raw));
  }

  void enumeration(const layout_node& node, value_visitor& visitor) {
    auto value = enum_value(node);
    if (const auto* name = enumerator(node, value))
      visitor.word(*name);
    else if (node.is_signed)
      visitor.integer(static_cast<std::int64_t>(value));
    else
      visitor.natural(value);
  }

  void list(const layout_node& node, value_visitor& visitor, unsigned depth) {
    auto count = length();
    auto wanted = visitor.begin_list(count);
    for (std::size_t i = 0; i < count; ++i)
      value(node.children[0], i < wanted ? visitor : nobody_, depth);
    visitor.end_list();
  }

  void map(const layout_node& node, value_visitor& visitor, unsigned depth) {
    auto count = length();
    auto wanted = visitor.begin_map(count);
    for (std::size_t i = 0; i < count; ++i) {
      auto name = key(layout_.nodes[node.children[0]]);
      if (i < wanted)
        visitor.key(name);
      value(node.children[1], i < wanted ? visitor : nobody_, depth);
    }
    visitor.end_map();
  }

  void structure(const layout_node& node, value_visitor& visitor, unsigned depth) {
    if (depth >= max_struct_depth)
      fail("structs are nested deeper than " + std::to_string(max_struct_depth));
    if (node.children.empty() && depth > 0 && flag())
      fail("a struct without fields must be a byte of 0");
    visitor.begin_struct();
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      visitor.field(node.names[i]);
      try {
        value(node.children[i], visitor, depth + 1);
      } catch (wrong_bytes& wrong) {
        internal::prepend_field(wrong.error, node.names[i]);
        throw;
      }
    }
    visitor.end_struct();
  }

  void value(std::size_t place, value_visitor& visitor, unsigned depth) {
    const auto& node = layout_.nodes[place];
    switch (node.what) {
      case kind::boolean:
        return visitor.boolean(flag());
      case kind::integer:
        return node.is_signed ? visitor.integer(with_sign(number(node.bytes), node.bytes))
                              : visitor.natural(number(node.bytes));
      case kind::real:
        return real(node, visitor);
      case kind::enumeration:
        return enumeration(node, visitor);
      case kind::text:
        return visitor.text(text());
      case kind::byte_string:
        return visitor.byte_string(take(length()));
      case kind::optional:
        return flag() ? value(node.children[0], visitor, depth) : visitor.nothing();
      case kind::list:
        return list(node, visitor, depth);
      case kind::map:
        return map(node, visitor, depth);
      case kind::time:
        return visitor.time(with_sign(number(8), 8), node.numerator, node.denominator);
      case kind::duration:
        return visitor.duration(with_sign(number(8), 8), node.numerator, node.denominator);
      case kind::id:
        return visitor.word(to_string(id()));
      case kind::hidden:
        value(node.children[0], nobody_, depth);
        return visitor.hidden();
      case kind::structure:
        return structure(node, visitor, depth);
    }
  }

  const internal::schema_layout& layout_;
  std::span<const std::byte> in_;
  std::size_t at_ = 0;
  nobody nobody_;
};

/// What visitors that know no errors are handed as a value.
struct visit_job {
  const schema_reader& reader;
  std::span<const std::byte> in;
  result<void, decode_error> done;

  static void run(const void* self, value_visitor& visitor) {
    auto& job = *static_cast<visit_job*>(const_cast<void*>(self));
    job.done = job.reader.visit(job.in, visitor);
  }
};

}  // namespace

result<schema_reader, decode_error> schema_reader::make(const schema& from) {
  auto parsed = std::make_shared<layout>();
  auto unknown = internal::parse_layout(from, *parsed);
  if (!unknown.empty())
    return decode_error{from.name, unknown, decode_error::nowhere,
                        "the schema names a type that this program does not know: use a newer one"};
  return schema_reader{std::move(parsed)};
}

result<void, decode_error> schema_reader::visit(std::span<const std::byte> in,
                                                value_visitor& visitor) const {
  try {
    reading{*layout_, in}.all(visitor);
    return {};
  } catch (wrong_bytes& wrong) {
    return std::move(wrong.error);
  } catch (const std::exception& error) {
    return decode_error{layout_->type, {}, decode_error::nowhere, error.what()};
  }
}

result<std::string, decode_error> schema_reader::print(std::span<const std::byte> in) const {
  visit_job job{*this, in, {}};
  auto line = internal::print_erased(&job, &visit_job::run);
  if (!job.done)
    return job.done.error();
  return {boost::system::in_place_value, std::move(line)};
}

result<boost::json::value, decode_error> schema_reader::to_json(
    std::span<const std::byte> in) const {
  visit_job job{*this, in, {}};
  auto json = internal::json_erased(&job, &visit_job::run);
  if (!job.done)
    return job.done.error();
  return {boost::system::in_place_value, std::move(json)};
}

}  // namespace microlith
