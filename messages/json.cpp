#include <microlith/messages/internal/base64.hpp>
#include <microlith/messages/internal/rfc3339.hpp>
#include <microlith/messages/internal/utf8.hpp>
#include <microlith/messages/json.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace microlith::internal {

namespace {

namespace json = boost::json;

constexpr std::string_view not_a_number = "NaN";
constexpr std::string_view infinite = "Infinity";
constexpr std::string_view minus_infinite = "-Infinity";

class json_builder final : public value_visitor {
 public:
  json::value take() { return std::move(whole_); }

  void boolean(bool value) override { add(value); }
  void integer(std::int64_t value) override { add(value); }
  void natural(std::uint64_t value) override { add(value); }
  void real(float value) override { real(static_cast<double>(value)); }
  void real(double value) override {
    if (std::isfinite(value))
      add(value);
    else
      word(std::isnan(value) ? not_a_number : value > 0 ? infinite : minus_infinite);
  }
  void word(std::string_view value) override { add(json::string{value}); }
  void text(std::string_view value) override { add(json::string{as_utf8(value)}); }
  void byte_string(std::span<const std::byte> value) override { word(to_base64(value)); }
  void time(std::int64_t ticks, std::intmax_t numerator, std::intmax_t denominator) override {
    if (auto words = to_rfc3339(ticks, {numerator, denominator}))
      word(*words);
    else
      add(ticks);
  }
  void duration(std::int64_t ticks, std::intmax_t, std::intmax_t) override { add(ticks); }
  void nothing() override { add(nullptr); }
  void hidden() override { word(secret_mark); }

  std::size_t begin_list(std::size_t size) override {
    json::array list;
    list.reserve(size);
    open(std::move(list));
    return size;
  }
  void end_list() override { close(); }
  std::size_t begin_map(std::size_t size) override {
    open(json::object{});
    return size;
  }
  void end_map() override { close(); }
  void begin_struct() override { open(json::object{}); }
  void end_struct() override { close(); }
  void key(std::string_view text) override { open_.back().key = as_utf8(text); }
  void field(std::string_view name) override { open_.back().key = name; }

 private:
  struct container {
    json::value value;
    std::string key;  // of the member whose value is next
  };

  void open(json::value empty) { open_.push_back({std::move(empty), {}}); }

  void close() {
    auto done = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(done));
  }

  void add(json::value value) {
    if (open_.empty())
      whole_ = std::move(value);
    else if (auto* list = open_.back().value.if_array())
      list->push_back(std::move(value));
    else
      open_.back().value.get_object().insert_or_assign(open_.back().key, std::move(value));
  }

  json::value whole_;
  std::vector<container> open_;
};

bool expected(decode_error& error, std::string_view what, const json::value& found) {
  auto kind = json::to_string(found.kind());
  return fail_json(
      error, std::string{what} + " is expected, not " + std::string{kind.data(), kind.size()});
}

}  // namespace

json::value json_erased(const void* value, visit_function visit) {
  json_builder builder;
  visit(value, builder);
  return builder.take();
}

bool fail_json(decode_error& error, std::string reason) {
  error.reason = std::move(reason);
  return false;
}

bool read_json_bool(const json::value& in, bool& out, decode_error& error) {
  const auto* flag = in.if_bool();
  if (flag == nullptr)
    return expected(error, "true or false", in);
  out = *flag;
  return true;
}

bool read_json_integer(const json::value& in, std::int64_t smallest, std::int64_t largest,
                       std::int64_t& out, decode_error& error) {
  const auto* number = in.if_int64();
  if (number == nullptr && !in.is_uint64())
    return expected(error, "a whole number", in);
  if (number == nullptr || *number < smallest || *number > largest)
    return fail_json(error, "a whole number from " + std::to_string(smallest) + " to " +
                                std::to_string(largest) + " is expected");
  out = *number;
  return true;
}

bool read_json_natural(const json::value& in, std::uint64_t largest, std::uint64_t& out,
                       decode_error& error) {
  const auto* integer = in.if_int64();
  const auto* natural = in.if_uint64();
  if (integer == nullptr && natural == nullptr)
    return expected(error, "a whole number", in);
  out = natural != nullptr ? *natural : static_cast<std::uint64_t>(*integer);
  if ((integer != nullptr && *integer < 0) || out > largest)
    return fail_json(error, "a whole number from 0 to " + std::to_string(largest) + " is expected");
  return true;
}

bool read_json_real(const json::value& in, double largest, double& out, decode_error& error) {
  if (const auto* text = in.if_string()) {
    if (*text == not_a_number)
      out = std::numeric_limits<double>::quiet_NaN();
    else if (*text == infinite || *text == minus_infinite)
      out = std::copysign(std::numeric_limits<double>::infinity(), *text == infinite ? 1 : -1);
    else
      return expected(error, "a number", in);
    return true;
  }
  if (const auto* real = in.if_double())
    out = *real;
  else if (const auto* integer = in.if_int64())
    out = static_cast<double>(*integer);
  else if (const auto* natural = in.if_uint64())
    out = static_cast<double>(*natural);
  else
    return expected(error, "a number", in);
  // The parser reads what is too large for a double as infinite.
  if (!(std::abs(out) <= largest))
    return fail_json(error, "the number is too large for the field");
  return true;
}

bool read_json_text(const json::value& in, std::string_view& out, decode_error& error) {
  const auto* text = in.if_string();
  if (text == nullptr)
    return expected(error, "a string", in);
  out = {text->data(), text->size()};
  return true;
}

bool read_json_bytes(const json::value& in, bytes& out, decode_error& error) {
  std::string_view text;
  if (!read_json_text(in, text, error))
    return false;
  auto decoded = from_base64(text);
  if (!decoded)
    return fail_json(error, "base64 with padding is expected");
  out = std::move(*decoded);
  return true;
}

bool read_json_time(const json::value& in, std::intmax_t numerator, std::intmax_t denominator,
                    std::int64_t smallest, std::int64_t largest, std::int64_t& out,
                    decode_error& error) {
  if (in.is_number())
    return read_json_integer(in, smallest, largest, out, error);
  std::string_view text;
  if (!read_json_text(in, text, error))
    return false;
  auto ticks = from_rfc3339(text, {numerator, denominator});
  if (!ticks || *ticks < smallest || *ticks > largest)
    return fail_json(error,
                     "a time in UTC that the field can hold is expected (2024-02-29T12:00:00Z)");
  out = *ticks;
  return true;
}

const json::object* read_json_object(const json::value& in, decode_error& error) {
  if (!in.is_object())
    (void)expected(error, "an object", in);
  return in.if_object();
}

const json::array* read_json_array(const json::value& in, decode_error& error) {
  if (!in.is_array())
    (void)expected(error, "an array", in);
  return in.if_array();
}

bool refuse_json_member(const json::object& in, const std::string_view* fields,
                        std::size_t field_count, decode_error& error) {
  for (const auto& member : in) {
    std::string_view name{member.key().data(), member.key().size()};
    if (std::find(fields, fields + field_count, name) != fields + field_count)
      continue;
    prepend_field(error, print_text(name));
    return fail_json(error, "there is no such field");
  }
  return true;
}

}  // namespace microlith::internal
