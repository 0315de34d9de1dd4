#include <microlith/messages/schema.hpp>

#include <algorithm>
#include <utility>

namespace microlith {

namespace {

constexpr std::string_view sensitive_mark = "sensitive<";

/// A type's text without the marks: what is on the wire.
std::string plain_type(std::string_view type) {
  std::string out;
  // Which of the open brackets are the marks'.
  std::vector<bool> marks;
  for (std::size_t i = 0; i < type.size(); ++i) {
    if (type.substr(i).starts_with(sensitive_mark)) {
      marks.push_back(true);
      i += sensitive_mark.size() - 1;
      continue;
    }
    bool of_mark = false;
    if (type[i] == '<') {
      marks.push_back(false);
    } else if (type[i] == '>' && !marks.empty()) {
      of_mark = marks.back();
      marks.pop_back();
    }
    if (!of_mark)
      out += type[i];
  }
  return out;
}

const schema_field* find(const std::vector<schema_field>& fields, std::string_view name) {
  auto found = std::find_if(fields.begin(), fields.end(),
                            [&](const schema_field& one) { return one.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

void append_change(std::string& out, const std::string& change) {
  if (!out.empty())
    out += "; ";
  out += change;
}

}  // namespace

std::uint64_t fingerprint_of(const std::vector<schema_field>& fields) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  auto add = [&](std::string_view text) {
    for (char c : text) {
      hash ^= static_cast<unsigned char>(c);
      hash *= 0x100000001B3ULL;
    }
  };
  for (const auto& field : fields) {
    add(field.name);
    add(":");
    add(plain_type(field.type));
    add("\n");
  }
  return hash;
}

std::string difference(const schema& stored, const schema& now) {
  std::string out;
  for (const auto& old : stored.fields) {
    const auto* current = find(now.fields, old.name);
    if (current == nullptr)
      append_change(out, "removed " + old.name + ": " + old.type);
    else if (plain_type(current->type) != plain_type(old.type))
      append_change(out,
                    old.name + ": " + plain_type(old.type) + " -> " + plain_type(current->type));
  }
  for (const auto& current : now.fields) {
    if (find(stored.fields, current.name) == nullptr)
      append_change(out, "added " + current.name + ": " + current.type);
  }
  bool same_order =
      std::equal(stored.fields.begin(), stored.fields.end(), now.fields.begin(), now.fields.end(),
                 [](const schema_field& a, const schema_field& b) { return a.name == b.name; });
  if (out.empty() && !same_order) {
    out = "reordered:";
    for (const auto& current : now.fields)
      out += ' ' + current.name;
  }
  return out;
}

schema with_sensitive_fields(schema stored, const schema& now) {
  if (stored.version == now.version && stored.fingerprint == now.fingerprint) {
    stored.fields = now.fields;
    return stored;
  }
  for (auto& field : stored.fields) {
    const auto* current = find(now.fields, field.name);
    if (current != nullptr && current->type.starts_with(sensitive_mark) &&
        !field.type.starts_with(sensitive_mark))
      field.type = internal::declared_type(field.type, true);
  }
  return stored;
}

namespace internal {

std::string declared_type(std::string type, bool sensitive) {
  return sensitive ? std::string{sensitive_mark} + std::move(type) + '>' : type;
}

std::string unit_name(std::intmax_t numerator, std::intmax_t denominator) {
  if (denominator == 1) {
    switch (numerator) {
      case 1:
        return "s";
      case 60:
        return "min";
      case 3600:
        return "h";
      case 86400:
        return "d";
      default:
        return std::to_string(numerator) + "/1";
    }
  }
  if (numerator == 1) {
    switch (denominator) {
      case 1'000:
        return "ms";
      case 1'000'000:
        return "us";
      case 1'000'000'000:
        return "ns";
      default:
        break;
    }
  }
  return std::to_string(numerator) + '/' + std::to_string(denominator);
}

}  // namespace internal

}  // namespace microlith
