#include <microlith/messages/schema.hpp>

#include <algorithm>

namespace microlith {

namespace {

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
    add(field.type);
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
    else if (current->type != old.type)
      append_change(out, old.name + ": " + old.type + " -> " + current->type);
  }
  for (const auto& current : now.fields) {
    if (find(stored.fields, current.name) == nullptr)
      append_change(out, "added " + current.name + ": " + current.type);
  }
  if (out.empty() && stored.fields != now.fields) {
    out = "reordered:";
    for (const auto& current : now.fields)
      out += ' ' + current.name;
  }
  return out;
}

namespace internal {

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
