#include <microlith/messages/internal/schema_layout.hpp>

#include <algorithm>
#include <charconv>

namespace microlith::internal {

namespace {

using kind = layout_node::kind;

constexpr std::size_t max_type_depth = 200;
constexpr std::size_t max_nodes = 100'000;
constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

class parser {
 public:
  explicit parser(schema_layout& out) : out_{out} { open_.push_back(0); }

  /// The place of the type, which must be all of the text.
  std::size_t whole(std::string_view text) {
    rest_ = text;
    auto place = type(0);
    return rest_.empty() ? place : nowhere;
  }

 private:
  bool take(std::string_view word) {
    if (!rest_.starts_with(word))
      return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::string_view take_until(char end) {
    auto size = std::min(rest_.find(end), rest_.size());
    auto word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  template <class Number>
  bool take_number(Number& number) {
    auto [end, wrong] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (wrong != std::errc{})
      return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }

  std::size_t add(layout_node node) {
    if (out_.nodes.size() >= max_nodes)
      return nowhere;
    out_.nodes.push_back(std::move(node));
    return out_.nodes.size() - 1;
  }

  std::size_t type(std::size_t depth) {
    if (depth > max_type_depth)
      return nowhere;
    if (take("bool"))
      return add({.what = kind::boolean});
    if (take("string"))
      return add({.what = kind::text});
    if (take("bytes"))
      return add({.what = kind::byte_string});
    if (take("id"))
      return add({.what = kind::id});
    if (take("optional<"))
      return wrapper(kind::optional, depth);
    if (take("list<"))
      return wrapper(kind::list, depth);
    if (take("secret<") || take("sensitive<"))
      return wrapper(kind::hidden, depth);
    if (take("map<"))
      return map(depth);
    if (take("time<"))
      return ticks(kind::time);
    if (take("duration<"))
      return ticks(kind::duration);
    if (take("enum "))
      return enumeration();
    if (take("{"))
      return structure(depth);
    if (take("^"))
      return outer();
    return number();
  }

  std::size_t number() {
    layout_node node{.what = kind::integer};
    if (take("f"))
      node.what = kind::real;
    else if (take("i"))
      node.is_signed = true;
    else if (!take("u"))
      return nowhere;
    std::size_t bits = 0;
    bool known = take_number(bits) && (bits == 32 || bits == 64 ||
                                       (node.what == kind::integer && (bits == 8 || bits == 16)));
    node.bytes = bits / 8;
    return known ? add(std::move(node)) : nowhere;
  }

  std::size_t wrapper(kind what, std::size_t depth) {
    auto inner = type(depth + 1);
    return inner != nowhere && take(">") ? add({.what = what, .children = {inner}}) : nowhere;
  }

  std::size_t map(std::size_t depth) {
    auto key = type(depth + 1);
    if (key == nowhere || !take(", "))
      return nowhere;
    auto key_kind = out_.nodes[key].what;
    if (key_kind != kind::text && key_kind != kind::integer && key_kind != kind::enumeration &&
        key_kind != kind::id)
      return nowhere;
    auto value = type(depth + 1);
    return value != nowhere && take(">") ? add({.what = kind::map, .children = {key, value}})
                                         : nowhere;
  }

  std::size_t ticks(kind what) {
    layout_node node{.what = what};
    if (take("ns>"))
      node.denominator = 1'000'000'000;
    else if (take("us>"))
      node.denominator = 1'000'000;
    else if (take("ms>"))
      node.denominator = 1'000;
    else if (take("s>"))
      node.denominator = 1;
    else if (take("min>"))
      node.numerator = 60;
    else if (take("h>"))
      node.numerator = 3'600;
    else if (take("d>"))
      node.numerator = 86'400;
    else if (!(take_number(node.numerator) && take("/") && take_number(node.denominator) &&
               take(">")) ||
             node.numerator < 1 || node.denominator < 1)
      return nowhere;
    return add(std::move(node));
  }

  std::size_t enumeration() {
    auto underlying = number();
    if (underlying == nowhere || out_.nodes[underlying].what != kind::integer || !take(" {"))
      return nowhere;
    auto node = out_.nodes[underlying];
    node.what = kind::enumeration;
    while (!take("}")) {
      if (!node.enumerators.empty() && !take(", "))
        return nowhere;
      auto name = std::string{take_until('=')};
      std::int64_t value = 0;
      std::uint64_t natural = 0;
      if (!take("="))
        return nowhere;
      if (node.is_signed ? !take_number(value) : !take_number(natural))
        return nowhere;
      node.enumerators.emplace_back(std::move(name),
                                    node.is_signed ? static_cast<std::uint64_t>(value) : natural);
    }
    return add(std::move(node));
  }

  std::size_t structure(std::size_t depth) {
    // The place comes first: what is within may refer back to it.
    auto place = add({.what = kind::structure});
    if (place == nowhere)
      return nowhere;
    open_.push_back(place);
    std::vector<std::size_t> children;
    std::vector<std::string> names;
    while (!take("}")) {
      if (!names.empty() && !take(", "))
        return nowhere;
      names.emplace_back(take_until(':'));
      if (!take(": "))
        return nowhere;
      children.push_back(type(depth + 1));
      if (children.back() == nowhere)
        return nowhere;
    }
    open_.pop_back();
    out_.nodes[place].children = std::move(children);
    out_.nodes[place].names = std::move(names);
    return place;
  }

  std::size_t outer() {
    std::size_t levels = 0;
    if (!take_number(levels) || levels == 0 || levels > open_.size())
      return nowhere;
    return open_[open_.size() - levels];
  }

  schema_layout& out_;
  std::string_view rest_;
  std::vector<std::size_t> open_;  ///< structs around, innermost last
};

}  // namespace

std::string parse_layout(const schema& from, schema_layout& out) {
  out = {.type = from.name};
  out.nodes.push_back({.what = kind::structure});
  parser fields{out};
  for (const auto& field : from.fields) {
    auto place = fields.whole(field.type);
    if (place == nowhere)
      return field.name;
    out.nodes[0].children.push_back(place);
    out.nodes[0].names.push_back(field.name);
  }
  return {};
}

}  // namespace microlith::internal
