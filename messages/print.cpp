#include <microlith/messages/internal/rfc3339.hpp>
#include <microlith/messages/internal/utf8.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/schema.hpp>

#include <algorithm>
#include <charconv>

namespace microlith::internal {

namespace {

constexpr std::string_view cut_mark = "…";

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"@._-+/"}.find(c) != std::string_view::npos;
  });
}

/// What could move a cursor, hide text or reorder it: C0, C1, line separators, bidirectional
/// controls.
bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void append_hex(std::string& out, unsigned value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    out += "0123456789abcdef"[(value >> shift) & 0xF];
}

void append_escaped(std::string& out, std::string_view sequence, const utf8_step& step) {
  if (!step.valid || step.code_point < 0x80) {
    switch (sequence.front()) {
      case '\n':
        out += "\\n";
        return;
      case '\r':
        out += "\\r";
        return;
      case '\t':
        out += "\\t";
        return;
      default:
        out += "\\x";
        append_hex(out, static_cast<unsigned char>(sequence.front()), 2);
        return;
    }
  }
  out += "\\u";
  append_hex(out, static_cast<unsigned>(step.code_point), 4);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  std::size_t shown = 0;
  while (!text.empty()) {
    auto step = next_utf8(text);
    if (shown + step.size_bytes > max_printed_text_bytes) {
      out += cut_mark;
      break;
    }
    shown += step.size_bytes;
    auto sequence = text.substr(0, step.size_bytes);
    if (!step.valid || is_control(step.code_point)) {
      append_escaped(out, sequence, step);
    } else {
      if (sequence == "\"" || sequence == "\\")
        out += '\\';
      out += sequence;
    }
    text.remove_prefix(step.size_bytes);
  }
  return out + '"';
}

class printer final : public value_visitor {
 public:
  std::string take() { return std::move(out_); }

  void boolean(bool value) override { add(value ? "true" : "false"); }
  void integer(std::int64_t value) override { add_number(value); }
  void natural(std::uint64_t value) override { add_number(value); }
  void real(float value) override { add_number(value); }
  void real(double value) override { add_number(value); }
  void word(std::string_view value) override { add(value); }

  void text(std::string_view value) override {
    if (is_plain(value) && value.size() <= max_printed_text_bytes)
      add(value);
    else
      add(quoted(value));
  }

  void byte_string(std::span<const std::byte> value) override {
    std::string hex = "0x";
    for (std::byte one : value.first(std::min(value.size(), max_printed_text_bytes / 2)))
      append_hex(hex, std::to_integer<unsigned>(one), 2);
    if (value.size() > max_printed_text_bytes / 2)
      hex += cut_mark;
    add(hex);
  }

  void time(std::int64_t ticks, std::intmax_t numerator, std::intmax_t denominator) override {
    if (auto words = to_rfc3339(ticks, {numerator, denominator}))
      add(*words);
    else
      duration(ticks, numerator, denominator);
  }

  void duration(std::int64_t ticks, std::intmax_t numerator, std::intmax_t denominator) override {
    auto unit = unit_name(numerator, denominator);
    bool named = unit.find('/') == std::string::npos;
    add(std::to_string(ticks) + (named ? unit : '*' + unit + 's'));
  }

  void nothing() override { add("none"); }
  void hidden() override { add(secret_mark); }

  std::size_t begin_list(std::size_t size) override { return begin('[', size); }
  void end_list() override { end(']'); }
  std::size_t begin_map(std::size_t size) override { return begin('{', size); }
  void end_map() override { end('}'); }
  void begin_struct() override { begin('{', 0); }
  void end_struct() override { end('}'); }

  void key(std::string_view name) override {
    text(name);
    name_ends();
  }

  void field(std::string_view name) override {
    add(name);
    name_ends();
  }

 private:
  // A value, a key or a field's name; what comes between two of them is known here.
  void add(std::string_view piece) {
    if (full())
      return;
    if (separate_)
      out_ += ", ";
    out_ += piece;
    separate_ = true;
    if (full())
      out_ += cut_mark;
  }

  template <class Number>
  void add_number(Number value) {
    char text[32];
    auto written = std::to_chars(text, text + sizeof text, value);
    add({text, written.ptr});
  }

  void name_ends() {
    if (!full())
      out_ += ": ";
    separate_ = false;
  }

  std::size_t begin(char bracket, std::size_t size) {
    open_.push_back({.shown = !full(), .cut = size > max_printed_elements});
    add({&bracket, 1});
    separate_ = false;
    return full() ? 0 : std::min(size, max_printed_elements);
  }

  void end(char bracket) {
    if (open_.back().cut)
      add(cut_mark);
    if (open_.back().shown)
      out_ += bracket;
    open_.pop_back();
    separate_ = true;
  }

  struct container {
    bool shown = false;  // its bracket, so that only those are closed
    bool cut = false;    // not all of its elements are shown
  };

  [[nodiscard]] bool full() const { return out_.size() >= max_printed_bytes; }

  std::string out_;
  std::vector<container> open_;
  bool separate_ = false;
};

}  // namespace

std::string print_erased(const void* value, visit_function visit) {
  printer visitor;
  visit(value, visitor);
  return visitor.take();
}

}  // namespace microlith::internal

namespace microlith {

std::string print_text(std::string_view text) {
  internal::printer visitor;
  visitor.text(text);
  return visitor.take();
}

}  // namespace microlith
