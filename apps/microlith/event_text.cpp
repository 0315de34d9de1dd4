#include "microlith/event_text.hpp"

#include <microlith/messages/json.hpp>
#include <microlith/messages/print.hpp>
#include <microlith/messages/time_text.hpp>

#include <boost/describe/class.hpp>

namespace tool {

using namespace microlith;

namespace {

constexpr const char* encrypted = "(encrypted, and this program has no keys)";

/// Facts as they are described: text that is no UTF-8 is mended on the way to JSON.
struct described_facts {
  std::string stream;
  std::string origin;
  std::string subject;
  std::vector<std::string> roles;
  std::map<std::string, std::string> headers;
};
BOOST_DESCRIBE_STRUCT(described_facts, (), (stream, origin, subject, roles, headers))

described_facts describe(const record_view& record) {
  auto facts = facts_of(record);
  described_facts out;
  out.stream = record.stream;
  if (facts) {
    out.origin = facts->origin;
    out.subject = facts->principal.subject;
    out.roles = facts->principal.roles;
    out.headers = facts->headers;
  }
  return out;
}

}  // namespace

const event_text::reader_or_error& event_text::reader_of(const stored_type& type) {
  auto found = readers_.find(type.id);
  if (found == readers_.end())
    found = readers_.emplace(type.id, schema_reader::make(type.schema)).first;
  return found->second;
}

std::string event_text::body(const record_view& record) {
  if (record.key != 0)
    return encrypted;
  const auto& reader = reader_of(*record.type);
  if (!reader)
    return "(" + to_string(reader.error()) + ")";
  auto text = reader->print(record.body);
  return text ? *text : "(" + to_string(text.error()) + ")";
}

std::string event_text::line(const record_view& record) {
  auto line = std::to_string(record.position) + "  " + time_text(record.time) + "  " +
              print_text(record.type->name);
  if (!record.stream.empty())
    line += "  " + print_text(record.stream) + " #" + std::to_string(record.stream_version);
  return line + "  " + body(record);
}

std::string event_text::paragraph(const record_view& record) {
  std::string out;
  auto add = [&](std::string name, const std::string& value) {
    name.resize(13, ' ');
    out += name + value + '\n';
  };
  auto add_id = [&](const char* name, const auto& id) {
    if (!id.empty())
      add(name, to_string(id));
  };
  add("position", std::to_string(record.position));
  add("time", time_text(record.time));
  add("type", print_text(record.type->name) + " version " + std::to_string(record.type->version));
  if (!record.stream.empty())
    add("stream", print_text(record.stream) + " #" + std::to_string(record.stream_version));
  add_id("id", record.id);
  add_id("correlation", record.correlation);
  add_id("causation", record.causation);
  add_id("root", record.root);
  add_id("append", record.append);
  add("depth", std::to_string(record.depth));
  auto facts = describe(record);
  if (!facts.origin.empty())
    add("origin", print_text(facts.origin));
  if (!facts.subject.empty())
    add("subject", print_text(facts.subject));
  for (const auto& role : facts.roles)
    add("role", print_text(role));
  for (const auto& [name, value] : facts.headers)
    add("header", print_text(name) + ": " + print_text(value));
  add("body", body(record));
  return out;
}

boost::json::object event_text::json(const record_view& record) {
  auto facts = microlith::json_of(describe(record)).get_object();
  boost::json::object out;
  out["position"] = record.position;
  out["time"] = time_text(record.time);
  out["type"] = record.type->name;
  out["type_version"] = record.type->version;
  if (!record.stream.empty()) {
    out["stream"] = facts["stream"];
    out["stream_version"] = record.stream_version;
  }
  out["id"] = to_string(record.id);
  out["correlation"] = to_string(record.correlation);
  for (auto [name, id] : {std::pair{"causation", record.causation},
                          {"root", record.root},
                          {"append", record.append}}) {
    if (!id.empty())
      out[name] = to_string(id);
  }
  out["depth"] = record.depth;
  if (!record.facts.empty()) {
    for (const char* name : {"origin", "subject", "roles", "headers"})
      out[name] = facts[name];
  }
  const auto& reader = reader_of(*record.type);
  if (record.key != 0) {
    out["body_error"] = encrypted;
  } else if (!reader) {
    out["body_error"] = to_string(reader.error());
  } else if (auto body = reader->to_json(record.body)) {
    out["body"] = std::move(*body);
  } else {
    out["body_error"] = to_string(body.error());
  }
  return out;
}

}  // namespace tool
